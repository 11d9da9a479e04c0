package transcript_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/transcript"
)

var mutations = flag.Int("mutations", 10,
	"how many TestPythonMutations makes; from 100 on, TestPythonSpecimens takes every bundle")

// second is the second verifier, which somebody wrote from docs/transcript-format.md alone.
const second = specimens + "/verify.py"

// python runs the second verifier: a line for each bundle, and for each fault of a chain.
func python(t *testing.T, args ...string) (lines []string) {
	t.Helper()
	for _, program := range []string{"python3", "ssh-keygen"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip("SKIPPED: ", err)
		}
	}
	cmd := exec.Command("python3", append([]string{second}, args...)...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	exit := (*exec.ExitError)(nil)
	if err != nil && (!errors.As(err, &exit) || !slices.Contains([]int{4, 5}, exit.ExitCode())) {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// verdict is what the second verifier prints of a bundle, without its path and the reason.
func verdict(line string) string {
	if i := strings.LastIndex(line, ": good"); i >= 0 && i == len(line)-len(": good") {
		return "good"
	}
	if strings.HasSuffix(line, "void: given up, and outside every chain") {
		return "void"
	}
	for _, standing := range []string{"bad: ", "incomplete: "} {
		if _, rest, found := strings.Cut(": "+line, ": "+standing); found {
			rule, _, _ := strings.Cut(rest, ": ")
			return standing + rule
		}
	}
	return line
}

// verdictOf is what this verifier finds, in the same words.
func verdictOf(err error) string {
	var broken *transcript.RuleError
	if err == nil {
		return "good"
	}
	if errors.Is(err, transcript.ErrVoid) {
		return "void"
	}
	if !errors.As(err, &broken) {
		return err.Error()
	}
	word := map[transcript.Standing]string{transcript.Bad: "bad", transcript.Incomplete: "incomplete"}
	return word[transcript.StandingOf(err)] + ": " + string(broken.Rule)
}

// TestPythonSpecimens: both verifiers find in every specimen what is written of it.
func TestPythonSpecimens(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile(filepath.Join(specimens, "bad", "verdicts"))
	if err != nil {
		t.Fatal(err)
	}
	var bundles, wants []string
	chains := []string{filepath.Join(specimens, "good"), filepath.Join(specimens, "good-v2"),
		filepath.Join(specimens, "good-life"), filepath.Join(specimens, "good-exposed"),
		filepath.Join(specimens, "good-words")}
	sound := len(chains)
	for row := range strings.Lines(string(table)) {
		f := strings.Fields(row)
		switch {
		case f[0] == "#":
		case strings.HasPrefix(f[2], "bad/chains/"):
			chains = append(chains, filepath.Join(specimens, f[2]))
		case *mutations < 100 && len(f[2])%4 > 0: // a sample
		default:
			bundles = append(bundles, filepath.Join(specimens, f[2]))
			wants = append(wants, map[string]string{"4": "bad: ", "5": "incomplete: "}[f[0]]+f[1])
		}
	}
	for name := range givenUp(t) {
		bundles, wants = append(bundles, filepath.Join(specimens, "void", name)), append(wants, "void")
	}
	lines := python(t, bundles...)
	if len(lines) != len(bundles) {
		t.Fatalf("%d lines of %d bundles", len(lines), len(bundles))
	}
	for i, dir := range bundles {
		_, err := transcript.Verify(dir)
		if verdict(lines[i]) != wants[i] || verdictOf(err) != wants[i] {
			t.Errorf("%s: want %s; Python: %s; Go: %v", dir, wants[i], lines[i], err)
		}
	}
	pythonChains(t, chains, sound)
}

// pythonChains: the first chains, as many as are sound, are good, and each other breaks the rule chain alone.
func pythonChains(t *testing.T, chains []string, sound int) {
	t.Helper()
	lines := python(t, append([]string{"--chain"}, chains...)...)
	for i, dir := range chains {
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var reports []transcript.Report
		for _, entry := range list {
			r, err := transcript.Verify(filepath.Join(dir, entry.Name()))
			reports = append(reports, r)
			if len(lines) == 0 || !strings.HasPrefix(lines[0], filepath.Join(dir, entry.Name())+": ") ||
				verdict(lines[0]) != verdictOf(err) {
				t.Fatalf("%s/%s: Go: %v; Python: %v", dir, entry.Name(), err, lines)
			}
			lines = lines[1:]
		}
		bad := len(lines) > 0 && verdict(lines[0]) == "bad: chain"
		if bad {
			lines = lines[1:]
		}
		if err := transcript.VerifyChain(reports); bad != (i >= sound) || (err != nil) != bad {
			t.Errorf("%s: Python finds a broken chain: %v; Go: %v", dir, bad, err)
		}
	}
	if len(lines) > 0 {
		t.Errorf("nobody asked for %q", lines)
	}
}

// TestPythonMutations: of bundles in which something was changed, and everything after it
// built and signed again, both verifiers find the same.
func TestPythonMutations(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var dirs, wants []string
	drafts := append(answeredDrafts(t), mutants(t, *mutations)...)
	for i, m := range drafts {
		dir := m.draft.Write(filepath.Join(root, fmt.Sprintf("%04d", i)))
		_, err := transcript.Verify(dir)
		dirs, wants = append(dirs, dir), append(wants, verdictOf(err))
	}
	lines := python(t, dirs...)
	if len(lines) != len(dirs) {
		t.Fatalf("%d lines of %d bundles", len(lines), len(dirs))
	}
	seen, otherRule := map[string]int{}, 0
	for i, m := range drafts {
		want, have := wants[i], verdict(lines[i])
		seen[want]++
		standing, _, _ := strings.Cut(want, ": ")
		if also, _, _ := strings.Cut(have, ": "); standing != also {
			t.Errorf("%s: Go: %s; Python: %s", m.name, want, lines[i])
		} else if want != have { // several rules are broken
			otherRule++
		}
		if m.want != "" && m.want != standing {
			t.Errorf("%s: want %s; Go: %s; Python: %s", m.name, m.want, want, lines[i])
		}
	}
	t.Logf("%d mutations: %v; %d with another rule", len(drafts), seen, otherRule)
	for _, v := range []string{"good", "bad: roster", "bad: signatures", "bad: quorum", "bad: order", "bad: finals",
		"incomplete: finals"} {
		if seen[v] == 0 {
			t.Errorf("no mutation is %s", v)
		}
	}
}
