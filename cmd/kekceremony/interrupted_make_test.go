package main_test

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

var oldBinary = flag.String("old", "", "the program whose ceremonies TestInterrupted interrupts again")

// makeInterrupted writes the cases of TestInterrupted again.
func makeInterrupted(t *testing.T) {
	pkcs11test.Need(t, "strace")
	if !filepath.IsAbs(*oldBinary) {
		t.Fatalf("-old %s: want an absolute path", *oldBinary)
	}
	removeCases(t, func(c interruptedCase) bool { return !slices.Contains(laterKinds, c.kind) })
	makeKilled(t)
	makeWaiting(t)
	sweepClosed(t)
}

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

// shared are positions that rotate passes by the same steps: back and roster need no case of their own there.
var shared = regexp.MustCompile(`^(roster-roster|.*-attend|answered-place|found-pin|.*-probe|final\.)`)

// makeKilled makes the cases of rehearsals that were killed.
func makeKilled(t *testing.T) {
	s := fresh(t, *oldBinary, quorum.Rehearsal)
	pack(t, "install", s.interrupted("install"))
	if err := s.application().Write(t.Context(), sceneRecords); err != nil {
		t.Fatal(err)
	}
	installed := s.snapshot()

	agent := s.agent()
	rotation := s.interrupted("rotate", agent)
	pack(t, "rotate", rotation)
	pack(t, "back", without(s.interrupted("back", agent), shared))
	end(agent)

	pack(t, "roster", without(installed.scene().interrupted("roster"), shared))
	partly := find(t, rotation, "begun-re-wrap", "records at 1, records at 2")
	pack(t, "abort", partly.scene().interrupted("abort"))
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

// makeWaiting makes the cases of production ceremonies that wait for people.
func makeWaiting(t *testing.T) {
	s := fresh(t, *oldBinary, quorum.Production)
	pack(t, "waiting-install", s.waits("install"))
	if err := s.application().Write(t.Context(), sceneRecords); err != nil {
		t.Fatal(err)
	}
	installed := s.snapshot()

	agent := s.agent()
	rotation := s.waits("rotate")
	pack(t, "waiting-rotate", rotation)
	end(agent)

	pack(t, "waiting-roster", installed.scene().waits("roster"))
	pack(t, "waiting-abort", rotation[0].scene().waits("abort"))
	makeSigned(t, installed.scene())
}

// waits runs an unattended ceremony and takes a snapshot at each wait: in turn before anybody signs, after the command
// took one signature, and when one signature lies there that no command has seen.
func (s scene) waits(kind string) (all []snapshot) {
	s.t.Helper()
	args := s.unattended(interruptedCommands[kind].command...)
	for {
		code, said := s.exec(args...)
		if code == 0 {
			return all
		}
		if code != 75 {
			s.t.Fatalf("%s: exit %d\n%s", kind, code, said)
		}
		turn := len(all) % 3
		if turn > 0 {
			hands{s.t, s.Dir, s.people[:1]}.sign()
		}
		if turn == 1 {
			s.exec(args...)
		}
		all = append(all, s.snapshot())
		hands{s.t, s.Dir, s.people}.sign()
	}
}

// signedHere are the positions of a ceremony that differ when people sign on other machines.
var signedHere = regexp.MustCompile(`^(resumed|signed-.*|waiting-approve-key|begun-re-wrap|final\.(alice\.sig|bob))$`)

// makeSigned makes the cases of a production rotation that was killed after people had signed on other machines: while
// it was unfinished, and when a further final came late, on the disk and not in the store.
func makeSigned(t *testing.T, s scene) {
	agent := s.agent()
	code, _ := s.exec(s.unattended(interruptedCommands["rotate"].command...)...)
	var all []snapshot
	for code == 75 {
		hands{t, s.Dir, s.people}.sign()
		var more []snapshot
		more, code = s.interrupt("rotate", agent)
		all = append(all, more...)
	}
	pack(t, "signed-rotate", only(all, signedHere))

	late := only(all, regexp.MustCompile(`^final\.dora`))
	packEach(t, "late-rotate", slices.DeleteFunc(late, func(n snapshot) bool { return !n.ended || !n.ahead }))
}
