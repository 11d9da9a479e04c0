package main_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// caseStep is how far apart the cases are that TestInterrupted finishes. make torture finishes all of them, and its
// brief form every fourth one.
var caseStep = 32

// interruptedCommands are the commands that were interrupted, and the version of every record in the end; 0: any.
var interruptedCommands = map[string]struct {
	command []string
	at      kek.Version
}{
	"install": {[]string{"install"}, 1},
	"rotate":  {[]string{"rotate", "--to-version", "2"}, 2}, // makes version 2
	"back":    {[]string{"rotate", "--to-version", "1"}, 1}, // to a retired version
	"roster":  {[]string{"roster"}, 1},
	"abort":   {[]string{"abort"}, 0}, // of a rotation

	transcript.KindDisable:    {[]string{"disable", "--version", "1"}, 2},
	transcript.KindEnable:     {[]string{"enable", "--version", "1"}, 2},
	transcript.KindDestroy:    {[]string{"destroy", "--version", "1"}, 2},
	transcript.KindCompromise: {[]string{"compromise", "--version", "1"}, 1}, // which is active
}

// TestInterrupted finishes ceremonies that were left interrupted, those that the program of be36a20 had by that
// program, each with the command that was interrupted. docs/design.md says how they were made.
func TestInterrupted(t *testing.T) {
	needHostName(t)
	if *laterBinary != "" {
		makeLater(t)
	}
	all := interruptedCases(t, "*")
	if len(all) < 150 {
		t.Fatalf("only %d cases", len(all))
	}
	for _, c := range all {
		if c.number%caseStep != 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := c.scene(t)
			s.finish(c.kind)
			if c.number == 0 && c.mode == quorum.Rehearsal && slices.Contains([]string{"install", "roster", "abort"}, c.kind) {
				s.rotates() // by the people, with the keys, that the ceremony leaves behind
			}
		})
	}
}

// TestAbortInterrupted: a rotation continues when the command that aborts it was interrupted.
func TestAbortInterrupted(t *testing.T) {
	needHostName(t)
	for _, c := range interruptedCases(t, "abort-0[1-4]-*") {
		if caseStep == 1 || c.number == 4 {
			c.scene(t).finish("rotate")
		}
	}
}

// finish runs the interrupted command until it is done, and checks what it leaves.
func (s scene) finish(kind string) {
	s.t.Helper()
	rotates := kind == "rotate" || kind == "back"
	if rotates || slices.Contains(laterKinds, kind) {
		s.agent()
	}
	of := interruptedCommands[kind]
	before := s.remember()
	s.run(of.command...)
	s.keeps(before)
	s.verified()
	if kind == "install" {
		if err := s.application().Write(s.t.Context(), sceneRecords); err != nil {
			s.t.Fatal(err)
		}
	}
	s.readable(of.at)
	if rotates {
		zeroAt(s.t, s.Parts, of.at)
	}
}

// touched sets the counters of authenticators: they must be higher than those in the bundles.
func (s scene) touched(times uint32) {
	for _, p := range s.people {
		if a, ok := p.Signer.(*transcripttest.Authenticator); ok {
			a.Counter = times
		}
	}
}

var chainForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// verified demands a chain of the right form whose bundles are all good and agree with the store.
func (s scene) verified() {
	s.t.Helper()
	if chain := s.application().Chain; !chainForm.MatchString(string(chain)) {
		s.t.Errorf("chain %q, want 32 hex digits", chain)
	}
	code, said := s.exec("transcript", "verify", "--chain", here+"/transcripts", "--store", s.uri())
	aborted := strings.Contains(said, ", aborted\n") // what it had not done is due
	if code != 0 && !(aborted && code == 6) {
		s.t.Errorf("verify: exit %d\n%s", code, said)
	}
}

// rotates runs the next ceremony on what was finished: a rotation to the other version.
func (s scene) rotates() {
	s.t.Helper()
	s.agent()
	to := 3 - s.application().Active
	s.run("rotate", "--to-version", to.String())
	s.verified()
	s.readable(to)
	zeroAt(s.t, s.Parts, to)
}
