package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestDisagreedRehearsal: two of three disagree with the end of an install. The ceremony, the verifier, the status and
// a second run of the rehearsal all say that the transcript stays incomplete, and what people do about it.
func TestDisagreedRehearsal(t *testing.T) {
	t.Parallel()
	parts := envParts(t)
	answers, err := os.OpenFile(parts.Answers("install"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bob", "carol"} {
		if _, err := answers.WriteString("verdict." + name + ": disagree\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := answers.Close(); err != nil {
		t.Fatal(err)
	}
	args := []string{"rehearse", "--ui", "none", "--dir", parts.Dir, "--provider", "env", "--only", "install",
		"--records", "2"}
	for _, c := range []struct {
		name string
		code int
		args []string
	}{
		{"the ceremony", 5, args},
		{"the rehearsal again", 5, args},
		{"status", 0, []string{"status", "--config", parts.Config()}},
	} {
		code, out, said := run(t, c.args...)
		if all := strings.Join(strings.Fields(out+said), " "); code != c.code ||
			!strings.Contains(all, transcript.DisagreedNext) {
			t.Errorf("%s: exit %d, %s%s", c.name, code, out, said)
		}
	}
	bundles, err := filepath.Glob(filepath.Join(parts.Bundles(), "[0-9]*-install"))
	if err != nil || len(bundles) != 1 {
		t.Fatalf("bundles %v, %v", bundles, err)
	}
	if code, _, said := run(t, "transcript", "verify", bundles[0]); code != 5 ||
		!strings.Contains(said, transcript.DisagreedNext) {
		t.Errorf("verify: exit %d, %s", code, said)
	}
}
