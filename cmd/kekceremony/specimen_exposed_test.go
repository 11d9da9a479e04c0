package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// makeExposed runs an install, marks the key that it made as compromised, rotates away from it, disables it and
// enables it again, in production, as transcripts/README.md says.
func makeExposed(t *testing.T) {
	s := fresh(t, binary, quorum.Production)
	s.run("install")
	if err := s.application().Write(t.Context(), sceneRecords); err != nil {
		t.Fatal(err)
	}
	s.agent()
	s.run("compromise", "--version", "1")
	s.run("rotate", "--to-version", "2")
	s.run("disable", "--version", "1")
	s.run("enable", "--version", "1")
	exposed := filepath.Join(transcripts, "good-exposed")
	if err := os.RemoveAll(exposed); err != nil {
		t.Fatal(err)
	}
	for _, bundle := range bundlesOf(t, s.Parts) {
		if err := os.CopyFS(filepath.Join(exposed, filepath.Base(bundle)), os.DirFS(bundle)); err != nil {
			t.Fatal(err)
		}
	}
}
