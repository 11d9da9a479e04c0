package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// TestFacesAgree: one install by the wizard, by line mode and by a file of answers leaves the
// same transcript but for times, chance and signatures.
func TestFacesAgree(t *testing.T) {
	t.Parallel()
	needHostName(t)
	was := map[string]string{}
	for name, hold := range map[string]func(scene){
		"answers": func(s scene) { s.run("install") },
		"line":    installByLine,
		"wizard":  installByWizard,
	} {
		s := newScene(t, t.TempDir(), binary, quorum.Rehearsal)
		s.write("answers-install.yaml", "ceremony: install\nroster: "+here+"/roster\nprovider: env\ncopies: none\n"+
			"planned_end: \"n/a: a rehearsal\"\nverdict.bob: deviations\nwords.bob: "+deviated+"\n"+
			strings.ReplaceAll(record, "a test", "a rehearsal"))
		s.speak()
		s.emptyStore()
		hold(s)
		s.heard()
		was[name] = told(t, bundlesOf(t, s.Parts)[0])
	}
	for _, name := range []string{"line", "wizard"} {
		if was[name] != was["answers"] {
			t.Errorf("%s:\n%s\nby answers:\n%s", name, was[name], was["answers"])
		}
	}
}

// scripts are answers as people of four languages type them.
var scripts = map[string]string{"place": "Tresorraum 3, Zürich, Straße 5", "authorised": "Αίθουσα 3, Αθήνα",
	"bags": "Işıl Çağrı, İstanbul", "evidence": "映像十七、東京"}

// deviated is what bob says at the end.
const deviated = "Kapı açıktı, bobs Tür"

// speak puts them into the file of answers.
func (s scene) speak() {
	s.t.Helper()
	path := filepath.Join(s.Dir, "answers-install.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, answer := range scripts {
		text = bytes.Replace(text, []byte("\n"+name+": \"n/a: a rehearsal\""), []byte("\n"+name+": \""+answer+"\""), 1)
	}
	s.write("answers-install.yaml", string(text))
}

// heard demands that the story and the page of the transcript have them as they were typed.
func (s scene) heard() {
	s.t.Helper()
	bundle := bundlesOf(s.t, s.Parts)[0]
	html := must(s.t, "transcript", "render", "--format", "html", bundle)
	story := strings.Join(strings.Fields(must(s.t, "transcript", "show", bundle)), " ")
	all := maps.Clone(scripts)
	all["words.bob"] = deviated
	for name, answer := range all {
		if !strings.Contains(html, answer) || !strings.Contains(story, answer) {
			s.t.Errorf("%s: %s is not in the page, or not in the story:\n%s", name, answer, story)
		}
	}
}

// asking is which of them a question asks for.
func asking(asked string) string {
	for text, name := range map[string]string{"Where does this": "place", "Who authorized": "authorised",
		"bags opened": "bags", "Independent witness": "evidence"} {
		if strings.Contains(asked, text) {
			return scripts[name]
		}
	}
	return ""
}

// chance is what differs between two runs of the same ceremony: times, digests, nonces, names
// made of them, signatures.
var chance = regexp.MustCompile(`\d{4}-\d\d-\d\d[T0-9:.Z-]*|[0-9a-f]{8,}|(?s)-----BEGIN.*?-----END[A-Z ]*-----`)

// told is what the events of a bundle say, without chance.
func told(t *testing.T, bundle string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(bundle, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		var e struct {
			Kind, Step string
			Facts      map[string]string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		facts, err := json.MarshalIndent(e.Facts, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s %s\n", e.Kind, e.Step, facts)
	}
	for _, name := range []string{"alice", "bob"} {
		text, err := os.ReadFile(filepath.Join(bundle, "final."+name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return chance.ReplaceAllString(strings.ReplaceAll(b.String(), `\n`, "\n"), "~")
}

// console is the command of a ceremony with people at the console.
func (s scene) console(ctx context.Context, face string, args ...string) *exec.Cmd {
	args = append([]string{s.binary}, append(args, "--ui", face, "--config", here+"/config.yaml")...)
	cmd := s.command(ctx, "console1", args...)
	cmd.Env = append(cmd.Env, "TERM=screen", "LANG=C.UTF-8")
	return cmd
}

// wizard is a ceremony in a pane.
func (s scene) wizard(args ...string) *pane { return s.wizardOn("screen", args...) }

// wizardOn is one on a terminal of a type.
func (s scene) wizardOn(terminal string, args ...string) *pane {
	s.t.Helper()
	cmd := s.console(s.t.Context(), "tui", args...)
	words := append(append(append([]string{"env", "-i"}, cmd.Env...), "TERM="+terminal), cmd.Args...)
	for i, word := range words {
		words[i] = "'" + word + "'" // none has a quote in it
	}
	return newPane(s.t, "cd "+s.Dir+" &&"+shell(words)+"; echo EXIT $?; cat")
}

// installByLine types what line mode asks.
func installByLine(s scene) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := s.console(ctx, "line", "install")
	tty, err := pty.Start(cmd)
	if err != nil {
		s.t.Fatal(err)
	}
	defer tty.Close()
	said := reply(tty, func(asked string) string {
		if strings.Contains(asked, "Press Enter to continue") && !strings.Contains(asked, "type followed") {
			return ""
		}
		if strings.Contains(asked, "bob: what deviated") {
			return deviated
		}
		if strings.Contains(asked, "bob: type followed") {
			return "deviations"
		}
		if m := regexp.MustCompile(`\w+: type (\w+).* to sign`).FindStringSubmatch(asked); m != nil {
			return m[1]
		}
		if strings.Contains(asked, "Path of the roster") {
			return here + "/roster"
		}
		return asking(asked) // or what is proposed
	})
	if err := cmd.Wait(); err != nil {
		s.t.Fatalf("line mode: %v\n%s", err, said)
	}
	if bytes.ContainsRune(said, 0x1b) {
		s.t.Errorf("line mode wrote an escape byte: %q", said)
	}
	for line := range bytes.Lines(said) {
		if line = bytes.TrimRight(line, "\r\n"); ansi.StringWidth(string(line)) > 79 {
			s.t.Errorf("a line of %d columns: %s", ansi.StringWidth(string(line)), line)
		}
	}
}

// reply answers each prompt of line mode with a line, and returns all that was written.
func reply(tty io.ReadWriter, answer func(asked string) string) (said []byte) {
	part, from := make([]byte, 4096), 0
	for {
		n, err := tty.Read(part)
		said = append(said, part[:n]...)
		if asked := said[from:]; bytes.HasSuffix(asked, []byte("\r> ")) {
			from = len(said)
			_, _ = io.WriteString(tty, answer(string(asked))+"\n")
		}
		if err != nil {
			return said
		}
	}
}

// installByWizard presses what the wizard asks for.
func installByWizard(s scene) {
	s.t.Helper()
	p := s.wizard("install")
	p.enter("Path of the roster", here+"/roster")
	attend(p, "alice", "bob")
	for _, question := range []string{"Where does this", "Who authorized", "Who is who", "Time on the wall clock",
		"bags opened", "Independent witness"} {
		if page := p.enter(question, asking(question)); question == "Independent witness" &&
			(!strings.Contains(page, scripts["place"]) || !strings.Contains(page, scripts["authorised"])) {
			s.t.Errorf("what was typed is not on the screen as it was typed:\n%s", page)
		}
	}
	p.enter("Provider to lock", "")
	p.read()
	sign(p, "1", "alice", "bob")
	p.read()
	p.read("canary 1 sha256")
	p.enter("Where else", "")
	p.enter("Planned end", "")
	p.read("store locked to")
	p.fill("leaving")
	p.enter("alice: type followed", "followed")
	p.enter("bob: type followed", "deviations")
	p.enter("bob: what deviated", deviated)
	p.enter("Signed 2, needed", "")
	p.enter("enter close", "")
	p.until("EXIT 0")
}
