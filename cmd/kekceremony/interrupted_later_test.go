package main_test

import (
	"flag"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

var laterBinary = flag.String("later", "", "the program of which TestInterrupted interrupts the later ceremonies again")

// laterKinds are the ceremonies that be36a20 did not know.
var laterKinds = []string{transcript.KindDisable, transcript.KindEnable, transcript.KindDestroy,
	transcript.KindCompromise}

// within are the positions from the first change that such a ceremony makes to the first final.
var within = regexp.MustCompile(`^((begun|done)-(fence|disable|enable|destroy|compromise)|noted-destroy|` +
	`found-(recount|unused-still|exposed)|closed)$`)

// makeLater writes the cases of the ceremonies that came later again.
func makeLater(t *testing.T) {
	pkcs11test.Need(t, "strace")
	if !filepath.IsAbs(*laterBinary) {
		t.Fatalf("-later %s: want an absolute path", *laterBinary)
	}
	removeCases(t, func(c interruptedCase) bool { return slices.Contains(laterKinds, c.kind) })
	s := fresh(t, *laterBinary, quorum.Rehearsal)
	s.run("install")
	if err := s.application().Write(t.Context(), sceneRecords); err != nil {
		t.Fatal(err)
	}
	exposed := s.snapshot().scene()
	pack(t, transcript.KindCompromise, only(exposed.interrupted(transcript.KindCompromise, exposed.agent()), within))

	agent := s.agent()
	s.run("rotate", "--to-version", "2")
	pack(t, transcript.KindDisable, only(s.interrupted(transcript.KindDisable, agent), within))
	pack(t, transcript.KindEnable, only(s.interrupted(transcript.KindEnable, agent), within))
	s.run("disable", "--version", "1")
	s.waited()
	pack(t, transcript.KindDestroy, only(s.interrupted(transcript.KindDestroy, agent), within))
	sweepClosed(t)
}

// waited returns when the waiting period of version 1 is over.
func (s scene) waited() {
	s.t.Helper()
	for {
		if _, said := s.exec("status", "--config", here+"/config.yaml"); strings.Contains(said, "destroy --version 1") {
			return
		}
	}
}
