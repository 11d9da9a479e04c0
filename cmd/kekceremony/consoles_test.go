package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// TestTwoConsoles has a second console, with a transcript directory of its own,
// take a rotation over while the first waits for a signature: the first stops at
// its next event, and its log is a beginning of the other's.
func TestTwoConsoles(t *testing.T) {
	t.Parallel()
	pkcs11test.Module(t)
	parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
	p := newPane(t, fmt.Sprintf("%s rehearse --dir %s --provider pkcs11 --records 50; echo EXIT $?; cat",
		binary, parts.Dir))
	p.goOn(parts, regexp.MustCompile(`approve-key(?s:.*)alice: type 2`))
	pkcs11test.Setenv(t, "SOFTHSM2_CONF", parts.Token())
	rotate := func(config string) (int, string) {
		code, _, errs := run(t, "rotate", "--to-version", "2", "--config", config, "--ui", "none",
			"--answers", parts.Answers("rotate"))
		return code, errs
	}
	if code, errs := rotate(parts.Config()); code != 75 || !strings.Contains(errs, "another console") {
		t.Errorf("a second console on the same bundle: exit %d, %s", code, errs)
	}

	other := filepath.Join(t.TempDir(), "config.yaml")
	elsewhere := t.TempDir()
	if err := os.Chmod(elsewhere, 0o700); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(parts.Config())
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(string(text), parts.Bundles(), elsewhere, 1)
	if err := os.WriteFile(other, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, errs := rotate(other); code != 0 {
		t.Fatalf("the second console: exit %d, %s", code, errs)
	}
	p.enter("alice: type 2", "2")
	said := p.until("EXIT 75")
	if !strings.Contains(said, "another console continued this ceremony") {
		t.Errorf("the first console said:\n%s", said)
	}

	second, _ := filepath.Glob(filepath.Join(elsewhere, "*-rotate"))
	if len(second) != 1 {
		t.Fatalf("bundles of the second console: %v", second)
	}
	must(t, "transcript", "verify", second[0])
	mine, _ := os.ReadFile(filepath.Join(bundlesOf(t, parts)[1], "events.jsonl"))
	all, _ := os.ReadFile(filepath.Join(second[0], "events.jsonl"))
	if len(mine) == 0 || len(mine) >= len(all) || !strings.HasPrefix(string(all), string(mine)) {
		t.Errorf("the first console's log, %d bytes, is no beginning of the other's, %d bytes", len(mine), len(all))
	}
	zeroAt(t, parts, 2)
}
