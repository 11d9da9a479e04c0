package quorum_test

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// TestOneKeyTwoNames: a certificate is a second name of a key, made by stock
// ssh-keygen. No roster takes it, or one person would be two.
func TestOneKeyTwoNames(t *testing.T) {
	dir := t.TempDir()
	keygen := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ssh-keygen", append([]string{"-q"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	read := func(name string) string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	key := filepath.Join(dir, "key")
	keygen("-t", "ed25519", "-N", "", "-f", key)
	keygen("-s", key, "-I", "bob", "-n", "bob", key+".pub")
	space := quorum.Production.Namespace(quorum.Approve)
	text := "# quorum: 2\nalice namespaces=\"" + space + "\" " + read("key.pub") + "bob namespaces=\"" + space + "\" " +
		read("key-cert.pub")
	if _, err := quorum.ParseRoster([]byte(text), quorum.Production); err == nil ||
		!strings.Contains(err.Error(), "cannot sign here") {
		t.Errorf("got %v", err)
	}
}

// TestHostileKeyType: the name of an algorithm within the base64 is shown without
// its control bytes.
func TestHostileKeyType(t *testing.T) {
	kind := "\x1b]0;owned\a"
	blob := append([]byte{0, 0, 0, byte(len(kind))}, kind...)
	text := "# quorum: 1\nalice namespaces=\"" + quorum.Production.Namespace(quorum.Approve) + "\" ssh-ed25519 " +
		base64.StdEncoding.EncodeToString(blob) + "\n"
	if _, err := quorum.ParseRoster([]byte(text), quorum.Production); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("got %q", err)
	}
}

// TestRosterLint (S05, S06, S13): what would count one key or one person twice, or mean
// another thing elsewhere, is in no roster.
func TestRosterLint(t *testing.T) {
	alice, bob := transcripttest.Operator(t, "alice"), transcripttest.Operator(t, "bob")
	line, other := alice.Line(quorum.Production), bob.Line(quorum.Production)
	again := func(p transcripttest.Person, name string) string { p.Name = name; return p.Line(quorum.Production) }
	option := func(text string) string { return strings.Replace(line, `" `, `",`+text+` `, 1) }
	for _, c := range []struct{ name, text, says string }{
		{"good", "# quorum: 2\n" + line + other, ""},
		{"good, with dates", "# quorum: 1\n" + option(`valid-after="20260101000000Z",valid-before="20270101000000Z"`), ""},
		{"S05 one key on two lines", "# quorum: 2\n" + line + again(alice, "zoe"), "the key of zoe is also the key of alice"},
		{"S05 a comma list", "# quorum: 1\n" + again(alice, "alice,zoe"), "a comma list of names"},
		{"S05 a wildcard", "# quorum: 1\n" + again(alice, "*"), "a wildcard in the name"},
		{"S05 a negation", "# quorum: 1\n" + again(alice, "!zoe"), "a wildcard in the name"},
		{"S06 one person with two keys", "# quorum: 2\n" + line + again(bob, "alice"), "name alice is repeated"},
		{"S13 a time without Z", "# quorum: 1\n" + option(`valid-after="20260101000000"`), "with the Z"},
		{"S13 a day", "# quorum: 1\n" + option(`valid-before="20260101"`), "with the Z"},
		{"S13 no time", "# quorum: 1\n" + option(`valid-after=""`), "after the name want namespaces"},
		{"good, with spaces", "# quorum: 1\n  " + strings.ReplaceAll(line, " ", "   "), ""},
		{"good, with a comment", "# quorum: 1\n" + strings.TrimSuffix(line, "\n") + ` bob "approve-v1` + "\n", ""},
		{"a space before a comment", "# quorum: 1\n # alice\n" + line, "want: name"},
		{"a line of spaces", "# quorum: 1\n  \n" + line, "want: name"},
		{"a tab", "# quorum: 1\n" + strings.Replace(line, " ", "\t", 1), "byte 0x09"},
		{"CRLF", "# quorum: 1\r\n" + line, "byte 0x0d"},
		{"S13 never valid", "# quorum: 1\n" + option(`valid-after="20270101000000Z",valid-before="20260101000000Z"`),
			"valid-after is not before valid-before"},
		{"an authority", "# quorum: 1\n" + strings.Replace(line, "namespaces", "cert-authority,namespaces", 1),
			"after the name want namespaces"},
		{"no quorum", line, `want "# quorum: M"`},
		{"a quorum of none", "# quorum: 0\n" + line, `want "# quorum: M"`},
		{"a quorum that nobody can meet", "# quorum: 2\n" + line, "quorum is 2, but only 1 may sign"},
		{"a quorum of witnesses", "# quorum: 1\n" + transcripttest.Witness(t, "wendy").Line(quorum.Production),
			"only 0 may sign"},
		{"a policy misspelt", "# quorum: 1\n# user-verification: require\n" + line, "want \"# user-verification: required\""},
		{"the end is missing", "# quorum: 1\n" + strings.TrimSuffix(line, "\n"), "ending in a line feed"},
		{"a key that is too short", "# quorum: 1\nalice namespaces=\"approve-v1@kekceremony\" " + shortRSA(t),
			"an RSA key of 1024 bits, want 2048"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := quorum.ParseRoster([]byte(c.text), quorum.Production)
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

// shortRSA is the public half of a key of 1024 bits.
func shortRSA(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rsa")
	stock(t, nil, "ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", path)
	public, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return string(public)
}
