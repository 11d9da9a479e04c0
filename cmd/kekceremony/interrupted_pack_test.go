package main_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// pack writes one case for each position that an unfinished ceremony came through.
func pack(t *testing.T, kind string, all []snapshot) {
	t.Helper()
	all = slices.DeleteFunc(slices.Clone(all), func(n snapshot) bool { return n.ended || n.at == "nothing" })
	for i, group := range groupsOf(all) {
		n := choose(group, i)
		name := fmt.Sprintf("%s-%02d-%s", kind, i, n.at)
		if n.ahead {
			name += "-disk"
		}
		if n.bare {
			name += "-bare"
		}
		t.Logf("%s: %s", name, n.world)
		n.pack(".", casePath(name))
	}
}

// groupsOf puts snapshots together that follow each other at one position, in one world.
func groupsOf(all []snapshot) (groups [][]snapshot) {
	for _, n := range all {
		last := len(groups) - 1
		if last >= 0 && groups[last][0].at == n.at && groups[last][0].world == n.world {
			groups[last] = append(groups[last], n)
		} else {
			groups = append(groups, []snapshot{n})
		}
	}
	return groups
}

// choose takes one snapshot of the i-th group: by turns one where the disk is ahead of the store, the last one, and one
// that lacks a file which the log embeds. Four groups in a row have the same turn, because the test may run every
// fourth case.
func choose(group []snapshot, i int) snapshot {
	turn := i / 4 % 3
	for _, n := range group {
		if turn == 0 && n.ahead || turn == 2 && n.bare && !n.ahead {
			return n
		}
	}
	return group[len(group)-1]
}

// only keeps the snapshots at some positions.
func only(all []snapshot, positions *regexp.Regexp) []snapshot {
	return slices.DeleteFunc(slices.Clone(all), func(n snapshot) bool { return !positions.MatchString(n.at) })
}

// pack writes a file or directory of the snapshot as a .tar.gz, without owners and times.
func (n snapshot) pack(root, path string) {
	n.t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		n.t.Fatal(err)
	}
	out := tar.NewWriter(z)
	err = fs.WalkDir(os.DirFS(n.dir), root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		return n.add(out, path, d.IsDir())
	})
	if err := errors.Join(err, out.Close(), z.Close()); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

func (n snapshot) add(out *tar.Writer, path string, dir bool) error {
	if dir {
		return out.WriteHeader(&tar.Header{Name: path + "/", Typeflag: tar.TypeDir, Mode: 0o700})
	}
	data, err := os.ReadFile(filepath.Join(n.dir, path))
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Name: path, Size: int64(len(data)), Mode: 0o600}); err != nil {
		return err
	}
	_, err = out.Write(data)
	return err
}
