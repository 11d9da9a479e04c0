package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// command is a line of the README's session with what it says that it prints.
type command struct {
	line    string
	printed []string
}

// session reads the README's first block of commands.
func session(t *testing.T) (commands []command) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```console\n(.*?)```").FindSubmatch(text)
	if block == nil || strings.Contains(string(text), "\n<<<<<<<") {
		t.Fatal("the README shows no session, or has two versions of a text")
	}
	for line := range strings.Lines(string(block[1])) {
		line = strings.TrimSuffix(line, "\n")
		if run, ok := strings.CutPrefix(line, "$ "); ok {
			commands = append(commands, command{line: run})
			continue
		}
		last := &commands[len(commands)-1]
		last.printed = append(last.printed, line)
	}
	return commands
}

// varying is what differs from run to run.
var varying = regexp.MustCompile(`SHA256:\S+|[0-9a-f]{32,64}|\d{4}-\d\d-\d\dT\d{6}Z`)

// TestReadme runs the README's session as a newcomer does, with an empty HOME: it prints what
// the README says.
func TestReadme(t *testing.T) {
	t.Parallel()
	pkcs11test.Module(t)
	home, dir := t.TempDir(), filepath.Join(t.TempDir(), "kek")
	const next = "@next@"
	script := "set -e\n"
	for _, c := range session(t) {
		script += strings.ReplaceAll(c.line, "/tmp/kek", dir) + "\necho " + next + "\n"
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = "../.."
	cache, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	caches := strings.Fields(string(cache))
	cmd.Env = append(os.Environ(), "HOME="+home, "GOCACHE="+caches[0], "GOMODCACHE="+caches[1])
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	outputs := strings.Split(strings.ReplaceAll(string(out), dir, "/tmp/kek"), next+"\n")
	for i, c := range session(t) {
		prints(t, c, outputs[i])
	}
}

// prints demands the lines that the README shows, in order, and no others where it leaves
// none out.
func prints(t *testing.T, c command, output string) {
	t.Helper()
	got := strings.Split(strings.TrimSuffix(varying.ReplaceAllString(output, "*"), "\n"), "\n")
	if output == "" {
		got = nil
	}
	skips := false
	for _, want := range c.printed {
		if skips = skips || want == "..."; want == "..." {
			continue
		}
		want = varying.ReplaceAllString(want, "*")
		for len(got) > 0 && got[0] != want && skips {
			got = got[1:]
		}
		if len(got) == 0 || got[0] != want {
			t.Errorf("%s: it does not print %q:\n%s", c.line, want, output)
			return
		}
		got = got[1:]
	}
	if len(got) > 0 && !skips {
		t.Errorf("%s: it prints more than the README shows: %q", c.line, got)
	}
}
