package main_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// rotated is a scene whose version 1 was rotated away from. Its only process of the fleet is live.
func rotated(t *testing.T, dir string) scene {
	t.Helper()
	needHostName(t)
	s := newScene(t, dir, binary, quorum.Rehearsal)
	s.write("config.yaml", strings.Replace(s.config(), "live: 400ms", "live: 2s", 1)) // people's pages take their time
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
	line := strings.ReplaceAll(found[1], "│", "") +
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
	p.read("waiting period", "destroyed before", "roles not seen")
	p.read("round trip")
	p.read("has and writes 2")
	p.read("none at version 1")
	sign(p, "disable", "alice", "bob")
	p.fill("leaving")
	sign(p, "followed", "alice", "bob")
}

// destroyByWizard presses what the wizard asks for. What each step found stays until somebody has read it.
func destroyByWizard(p *pane) {
	p.t.Helper()
	attend(p, "alice", "bob")
	p.fill("place")
	p.read("round trip")
	p.read("(found once)", "lost with it")
	p.read("Nothing needs the version", "none at version 1", "none has the key")
	p.enter("What became of each copy", "")
	sign(p, "destroy", "alice", "bob")
	p.read("not here any more", "has and writes 2", "checked before", "none at version 1", "not found: variable",
		"ENV_KEK_V1")
	p.enter("Who removed the key", "")
	p.fill("leaving")
	sign(p, "followed", "alice", "bob")
}

// agentName is the name of an agent after its host and role.
var agentName = regexp.MustCompile(`app1/app/[^ ";\n]+`)

// TestLeavingFacesAgree: a disable and a destroy by the wizard, by line mode and by files of answers leave the same
// transcripts but for times, chance and signatures.
func TestLeavingFacesAgree(t *testing.T) {
	t.Parallel()
	was, held := map[string]string{}, sync.Mutex{}
	t.Run("faces", func(t *testing.T) {
		for name, hold := range map[string]func(scene, ...string){"answers": scene.run, "line": byLine, "wizard": byWizard} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				said := leave(rotated(t, t.TempDir()), hold)
				held.Lock()
				defer held.Unlock()
				was[name] = said
			})
		}
	})
	for _, name := range []string{"line", "wizard"} {
		if was[name] != was["answers"] {
			t.Errorf("%s:\n%s\nby answers:\n%s", name, was[name], was["answers"])
		}
	}
}

// leave disables and destroys version 1, and returns what the transcripts say.
func leave(s scene, hold func(scene, ...string)) (said string) {
	s.t.Helper()
	for _, kind := range []string{"disable", "destroy"} {
		own := ""
		if kind == "destroy" {
			own = "verdicts: none\nhosts: \"n/a: a rehearsal\"\n"
			s.waited()
		}
		s.write("answers-"+kind+".yaml", "ceremony: "+kind+"\n"+own+strings.ReplaceAll(record, "a test", "a rehearsal"))
		hold(s, kind, "--version", "1")
		all := bundlesOf(s.t, s.Parts)
		said += agentName.ReplaceAllString(told(s.t, all[len(all)-1]), "app1/app/~")
	}
	return said
}

// byWizard runs a disable or a destroy in the wizard.
func byWizard(s scene, args ...string) {
	s.t.Helper()
	p := s.wizard(args...)
	map[string]func(*pane){"disable": disableByWizard, "destroy": destroyByWizard}[args[0]](p)
	p.enter("enter close", "")
	p.until("EXIT 0")
}

// byLine runs a disable or a destroy in line mode.
func byLine(s scene, args ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := s.console(ctx, "line", args...)
	tty, err := pty.Start(cmd)
	if err != nil {
		s.t.Fatal(err)
	}
	defer tty.Close()
	said := reply(tty, func(asked string) string {
		if m := regexp.MustCompile(`\w+: type (\w+).* to sign`).FindStringSubmatch(asked); m != nil {
			return m[1]
		}
		return "" // what is proposed
	})
	if err := cmd.Wait(); err != nil {
		s.t.Fatalf("line mode: %v\n%s", err, said)
	}
}
