package main_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// rotated is a scene whose version 1 was rotated away from. Its only process of the fleet is live.
func rotated(t *testing.T, dir string) scene {
	t.Helper()
	needHostName(t)
	s := newScene(t, dir, binary, quorum.Rehearsal)
	s.emptyStore()
	s.run("install")
	s.agent()
	s.run("rotate", "--to-version", "2")
	return s
}

// copied is the command that a page has beside a label, as a shell takes it.
var copied = regexp.MustCompile(`(?m)^. +To undo it +((?:.*\\ *\n)*.*?) *$`)

// TestUndoIsCopied: the command that the last page of a disable ends with undoes it, as it stands there.
func TestUndoIsCopied(t *testing.T) {
	t.Parallel()
	s := rotated(t, t.TempDir())
	p := s.wizard("disable", "--version", "1")
	disableByWizard(p)
	last := p.until("enter close")
	p.enter("enter close", "")
	p.until("EXIT 0")

	found := copied.FindStringSubmatch(last)
	if found == nil {
		t.Fatalf("no command undoes it:\n%s", last)
	}
	line := strings.NewReplacer("│", "", "kekceremony enable", s.binary+" enable").Replace(found[1]) +
		" --ui none --answers " + here + "/answers-enable.yaml"
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir, cmd.Env = s.Dir, []string{"PATH=" + os.Getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	if _, said := s.exec("status", "--config", here+"/config.yaml"); !strings.Contains(said, "1  retired") {
		t.Errorf("version 1 is not enabled:\n%s", said)
	}
}

// disableByWizard presses what the wizard asks for.
func disableByWizard(p *pane) {
	p.t.Helper()
	attend(p, "alice", "bob")
	p.fill("place")
	p.read("round trip")
	p.read("has and writes 2")
	sign(p, "disable", "alice", "bob")
	p.fill("leaving")
	sign(p, "followed", "alice", "bob")
}
