package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// TestDigestFile: a program that its user may not read has its digest in a file beside it,
// which nobody else can change. The transcript says so.
func TestDigestFile(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	const from = "sha256 from the file beside the program, which this user may not read\n"
	_, readable := a.run(a.program, "version")
	if code, said := a.run(a.guarded, "version"); code != 2 ||
		!strings.Contains(said, "its digest file cannot be used: ") ||
		!strings.Contains(said, "hint: as root, in the program's directory: sha256sum kekceremony") {
		t.Errorf("no file: exit %d: %s", code, said)
	}
	beside := a.guarded + ".sha256"
	sum := pkcs11test.Run(t, "sha256sum", a.guarded)
	short := strings.Replace(sum, a.guarded, "kekceremony", 1)
	for name, c := range map[string]struct {
		text, mode, owner string
		says              string // empty: it is used
	}{
		"good":         {short, "0644", "0", ""},
		"by path":      {sum, "0444", "0", ""},
		"binary mode":  {strings.Replace(short, "  ", " *", 1), "0644", "0", ""},
		"group writes": {short, "0664", "0", "mode 0664: others could change it"},
		"the user's":   {short, "0644", "65534", "it has another owner"},
		"of another":   {strings.Replace(short, "kekceremony", "other", 1), "0644", "0", "want one line of sha256sum, of "},
		"two lines":    {short + short, "0644", "0", "want one line of sha256sum"},
		"not a sum":    {"kekceremony\n", "0644", "0", "want one line of sha256sum"},
	} {
		if err := os.WriteFile(beside, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		pkcs11test.Run(t, "chmod", c.mode, beside)
		pkcs11test.Run(t, "chown", c.owner, beside)
		code, said := a.run(a.guarded, "version")
		used := code == 0 && said == readable+from
		if c.says == "" && !used || c.says != "" && (code != 2 || !strings.Contains(said, c.says)) {
			t.Errorf("%s: exit %d: %s", name, code, said)
		}
		if err := os.Remove(beside); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(beside, []byte(short), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := a.home + "/r"
	if code, said := a.run(a.guarded, "rehearse", "--only", "install,rotate",
		"--provider", "env", "--ui", "none", "--records", "5",
		"--dir", dir); code != 0 {
		t.Fatalf("exit %d: %s", code, said)
	}
	bundles, err := filepath.Glob(dir + "/transcripts/*-install")
	if err != nil || len(bundles) != 1 {
		t.Fatalf("%v, %q", err, bundles)
	}
	opened := event(t, bundles[0], "opened", "")
	if opened["tool_sha256"] != sum[:64] || opened["tool_sha256_from"] != "file" {
		t.Errorf("the transcript says %q from %q", opened["tool_sha256"], opened["tool_sha256_from"])
	}
}
