package main_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// TestAnswersAtTheirMoment: while an unattended rotation waits for the fleet, somebody writes into the
// file of answers what the wall clock shows at its end. That is what the transcript has.
func TestAnswersAtTheirMoment(t *testing.T) {
	t.Parallel()
	needHostName(t)
	s := newScene(t, t.TempDir(), binary, quorum.Rehearsal)
	s.emptyStore()
	s.run("install")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	rotate := s.command(ctx, "console1", append([]string{s.binary},
		s.unattended("rotate", "--to-version", "2")...)...)
	rotate.Stderr = t.Output()
	if err := rotate.Start(); err != nil {
		t.Fatal(err)
	}
	asked := func() bool {
		logs, _ := filepath.Glob(filepath.Join(s.Bundles(), "*-0002-*", "events.jsonl"))
		text, err := os.ReadFile(strings.Join(logs, ""))
		return err == nil && strings.Contains(string(text), `"step":"copies"`)
	}
	if !await(asked) {
		t.Fatal("it never came to its fleet")
	}
	answers := filepath.Join(s.Dir, "answers-rotate.yaml")
	text, err := os.ReadFile(answers)
	if err != nil {
		t.Fatal(err)
	}
	late := strings.Replace(string(text), `clock_out: "n/a: a test"`, `clock_out: "n/a: written while it waited"`, 1) +
		"verdict.bob: deviations\nwords.bob: the fleet was late\n"
	s.write("answers-rotate.yaml.new", late)
	if err := os.Rename(answers+".new", answers); err != nil {
		t.Fatal(err)
	}
	s.agent()
	if err := rotate.Wait(); err != nil {
		t.Fatal(err)
	}
	bundles := bundlesOf(t, s.Parts)
	if got := event(t, bundles[1], "answered", "leaving")["clock_out"]; got != "not applicable: written while it waited" {
		t.Errorf("the transcript has %q", got)
	}
	if out := must(t, "transcript", "verify", bundles[1]); !strings.Contains(out, "alice (followed), bob (deviations)") ||
		!strings.Contains(out, "words   bob: the fleet was late") {
		t.Errorf("each signs the own verdict:\n%s", out)
	}
}
