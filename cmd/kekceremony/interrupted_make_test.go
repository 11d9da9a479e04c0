package main_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// removeCases takes away the cases that are made again.
func removeCases(t *testing.T, of func(interruptedCase) bool) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(closedPath("any")), 0o755)
	for _, c := range interruptedCases(t, "*") {
		if of(c) {
			err = errors.Join(err, os.Remove(casePath(c.name)))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// sweepClosed removes the closed bundles that no case has in its store any more.
func sweepClosed(t *testing.T) {
	t.Helper()
	used := map[string]bool{}
	for _, c := range interruptedCases(t, "*") {
		s := scene{t: t, Parts: rehearsal.Parts{Dir: t.TempDir()}}
		unpack(t, casePath(c.name), s.Dir)
		for _, name := range s.closed() {
			used[closedPath(name)] = true
		}
	}
	all, err := filepath.Glob(closedPath("*"))
	for _, path := range all {
		if !used[path] {
			err = errors.Join(err, os.Remove(path))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// fresh makes a scene in which nothing has happened yet.
func fresh(t *testing.T, binary string, mode quorum.Mode) scene {
	t.Helper()
	s := newScene(t, t.TempDir(), binary, mode)
	s.write("store.db", "")
	if err := os.Mkdir(s.Bundles(), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

// interrupted interrupts a ceremony that runs to its end at once.
func (s scene) interrupted(kind string, agents ...*exec.Cmd) []snapshot {
	s.t.Helper()
	all, code := s.interrupt(kind, agents...)
	if code != 0 {
		s.t.Fatalf("%s: exit %d", kind, code)
	}
	return all
}
