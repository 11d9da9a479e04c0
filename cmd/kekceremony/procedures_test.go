package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// named finds the commands in a text, which may be broken between two words.
var named = regexp.MustCompile("`kekceremony\\s([^`]+)`")

// numberedStep finds a numbered step, with the lines that belong to it.
var numberedStep = regexp.MustCompile(`(?m)^[0-9]+\. .*\n(?:   .*\n)*`)

// procedure is the commands of the numbered steps of a section of docs/procedures.md, in order, of versions N and M.
func procedure(t *testing.T, section, n, m string) (commands [][]string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/procedures.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "\n## "+section+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	versions := regexp.MustCompile(`([ =])([NM])$`)
	for _, match := range named.FindAllStringSubmatch(strings.Join(numberedStep.FindAllString(text, -1), ""), -1) {
		line := versions.ReplaceAllStringFunc(match[1], func(last string) string {
			return last[:1] + map[string]string{"N": n, "M": m}[last[1:]]
		})
		commands = append(commands, strings.Fields(line))
	}
	if !found || len(commands) < 6 {
		t.Fatalf("%s: found %t, commands %q", section, found, commands)
	}
	return commands
}

// kindOf is the kind of ceremony that a command runs; none: it runs none.
func kindOf(command []string) string {
	name := command[0]
	if name == "kek" {
		name = command[1]
	}
	switch name {
	case "status":
		return ""
	case "remove":
		return "destroy"
	case "pkcs11-init":
		return "generate"
	}
	return name
}

// TestProcedures runs the commands of docs/procedures.md in the order in which they stand there: a version is rotated
// away from, disabled, enabled because something needs it, and destroyed; another one is compromised, and its whole
// course follows.
func TestProcedures(t *testing.T) {
	t.Parallel()
	parts, a := swift(t, 40)
	for _, kind := range []string{"enable", "compromise"} {
		text, err := os.ReadFile(parts.Answers("disable"))
		if err == nil {
			text = []byte(strings.Replace(string(text), "ceremony: disable", "ceremony: "+kind, 1))
			err = os.WriteFile(parts.Answers(kind), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	old := procedure(t, "A key that is not needed any more", "1", "2")
	for i, command := range old {
		follow(t, parts, command)
		if kindOf(command) == "enable" { // what the page says then
			for _, again := range old[:i] {
				follow(t, parts, again)
			}
		}
	}
	for _, command := range procedure(t, "A key that others know, or may know", "2", "3") {
		follow(t, parts, command)
	}
	for kind, n := range map[string]int{
		"generate": 1, "rotate": 2, "disable": 3, "enable": 1, "compromise": 1, "destroy": 2,
	} {
		if all, _ := filepath.Glob(filepath.Join(parts.Bundles(), "[0-9]*-"+kind)); len(all) != n {
			t.Errorf("%d ceremonies %s, want %d", len(all), kind, n)
		}
	}
	zeroAt(t, parts, 3)
	listed := pkcs11test.Objects(t, rehearsal.PIN)
	for v, want := range map[kek.Version]bool{1: false, 2: false, 3: true} {
		if label := kek.NameOf(a.Chain, v).Label; strings.Contains(listed, label+"\n") != want {
			t.Errorf("the token has %s: %t\n%s", label, !want, listed)
		}
	}
}

// follow runs a command as it stands on the page, with nobody at the console, once its waiting period is over.
func follow(t *testing.T, parts rehearsal.Parts, command []string) {
	t.Helper()
	args := append(command, "--config", parts.Config())
	if kind := kindOf(command); kind != "" {
		args = append(args, "--ui", "none", "--answers", parts.Answers(kind))
	}
	for {
		code, out, errs := run(t, args...)
		if strings.Contains(errs, "the waiting period") {
			continue
		}
		if code != 0 {
			t.Fatalf("%q: exit %d\n%s%s", command, code, out, errs)
		}
		return
	}
}
