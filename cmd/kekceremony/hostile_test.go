package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// hostileText is what case D01 lists: ESC, an unterminated OSC, C1 CSI as a rune and
// as a byte, BEL, BS, CR, bidi controls, zero width, invalid UTF-8.
const hostileText = "kek\x1b[31m\x1b]0;owned\u009b2J\x9b2J\a\b\rx\u202eevil\u2066\u200b\xff"

// TestD01: a token's label, an operator's note, a path and an answer in a file are
// hostile: whatever is printed or written is one line of printable ASCII for each.
func TestD01(t *testing.T) {
	t.Parallel()
	pkcs11test.TokensForPrograms(t, "kek\x1b[31m\x1b]0;owned\a\b")
	module := pkcs11test.Module(t)
	parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
	must(t, "rehearse", "--only", "install,rotate",
		"--ui", "none", "--dir", parts.Dir, "--provider", "env", "--records", "6")
	clean := func(what, text string) {
		t.Helper()
		for i := range len(text) {
			if b := text[i]; (b < ' ' || b > '~') && b != '\n' && b != '\t' {
				t.Errorf("%s: byte 0x%02x at %d: %q", what, b, i, text[max(0, i-40):min(len(text), i+20)])
				return
			}
		}
	}
	all := func(args ...string) string {
		t.Helper()
		_, out, errs := run(t, args...)
		clean(strings.Join(args[:2], " "), out+errs)
		return out + errs
	}

	// The token's label, in the probe, in an error and in an install's transcript.
	config := filepath.Join(t.TempDir(), "config.yaml")
	dir := filepath.Join(t.TempDir(), "tr\x1b[2J")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(t.TempDir(), "s\u202e.db")
	pin := filepath.Join(t.TempDir(), "pin")
	text := fmt.Sprintf(`store: %q
transcripts: %q
encryption:
  provider: pkcs11
  pin_file: %s
  pkcs11:
    module_path: %s
    token_label: %q
    environment: [SOFTHSM2_CONF]
keys: [%s, %s]
rehearsal: {}
`,
		"sqlite:"+db, dir, pin, module, "kek\x1b[31m\x1b]0;owned\a\b", parts.Key("alice"), parts.Key("bob"))
	for path, data := range map[string]string{config: text, pin: pkcs11test.PIN + "\n", db: ""} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	answers := filepath.Join(t.TempDir(), "answers.yaml")
	roster, err := os.ReadFile(parts.Roster())
	if err != nil {
		t.Fatal(err)
	}
	two := filepath.Join(t.TempDir(), "roster") // without carol, whose key is not here
	lines := strings.SplitAfter(string(roster), "\n")
	if err := os.WriteFile(two, []byte(strings.Join(lines[:3], "")), 0o600); err != nil {
		t.Fatal(err)
	}
	note := strings.ReplaceAll(strings.ToValidUTF8(hostileText, "?"), "\r", " ")
	given := fmt.Sprintf("ceremony: install\nroster: %s\nprovider: pkcs11\ncopies: %q\nplanned_end: 2099-01-01\n",
		two, note)
	given += strings.Replace(record, `place: "n/a: a test"`, fmt.Sprintf("place: %q", note), 1)
	if err := os.WriteFile(answers, []byte(given), 0o600); err != nil {
		t.Fatal(err)
	}
	all("probe", "--config", config, "--ui", "none")
	code, out, errs := run(t, "install", "--ui", "none", "--config", config, "--answers", answers)
	if clean("install", out+errs); code != 0 {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	list, err := filepath.Glob(filepath.Join(strings.ReplaceAll(dir, "[", "?"), "2*"))
	if err != nil || len(list) != 1 {
		t.Fatalf("%d bundles, %v", len(list), err)
	}
	bundle := list[0]
	log, err := os.ReadFile(filepath.Join(bundle, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	clean("events.jsonl", string(log))
	for _, want := range []string{`kek\\u{1b}[31m\\u{1b}]0;owned\\u{7}\\u{8}`, `\\u{202e}evil`} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the log does not hold %s", want)
		}
	}
	for _, args := range [][]string{
		{"transcript", "verify", bundle}, {"transcript", "verify", "--json", bundle},
		{"transcript", "show", bundle}, {"transcript", "show", "--raw", bundle}, {"transcript", "list", "--config", config},
		{"transcript", "render", bundle}, {"transcript", "render", "--format", "html", bundle},
		{"status", "--config", config}, {"status", "--json", "--config", config},
		{"transcript", "verify", bundle + hostileText}, {"install", "--store", "sqlite:" + hostileText},
		{"rotate", "--to-version", hostileText}, {"script", hostileText},
	} {
		all(args...)
	}
}
