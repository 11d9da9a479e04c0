package main_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// snapshot is a copy of what a scene had on the disk at one instant.
type snapshot struct {
	t    *testing.T
	from scene
	dir  string
	position
}

// snapshot copies store, keys and bundles of a scene. In the copy the agents stop in order: a later run would list
// agents that were killed as silent, and ask for another approval. Closed bundles go into archives of their own, for
// many snapshots share them.
func (s scene) snapshot() snapshot {
	s.t.Helper()
	n := snapshot{t: s.t, from: s, dir: s.t.TempDir()}
	for _, name := range []string{"store.db", "store.db-wal", "secrets.env", "secrets.env.new", "transcripts"} {
		n.copy(s.Dir, name)
	}
	n.position = n.locate()
	for _, name := range n.closed {
		bundle := filepath.Join("transcripts", name)
		n.pack(bundle, closedPath(name))
		if err := os.RemoveAll(filepath.Join(n.dir, bundle)); err != nil {
			n.t.Fatal(err)
		}
	}
	return n
}

// scene makes a scene of a snapshot, with the same people.
func (n snapshot) scene() scene {
	n.t.Helper()
	archive := filepath.Join(n.t.TempDir(), "scene.tar.gz")
	n.pack(".", archive)
	s := newScene(n.t, n.t.TempDir(), n.from.binary, n.from.mode)
	s.people = n.from.people
	s.unpack(archive)
	return s
}

// copy copies a file or a directory, if there is one, for the owner alone.
func (n snapshot) copy(from, name string) {
	n.t.Helper()
	err := filepath.WalkDir(filepath.Join(from, name), func(path string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(from, path)
		if err = errors.Join(err, relErr); err != nil {
			return err
		}
		if d.IsDir() {
			return os.Mkdir(filepath.Join(n.dir, rel), 0o700)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(n.dir, rel), data, 0o600)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.t.Fatal(err)
	}
}
