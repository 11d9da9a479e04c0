//go:build mutate

package main_test

import (
	"encoding/json"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// doing finds the body of every Do in the steps.
var doing = regexp.MustCompile(`(?m)^\t+Do: func\(.*\) \(Facts, error\) \{$|` +
	`^func (?:runRewrap|doDestroy)\(.*\) \(Facts, error\) \{$`)

// notices is the test that must fail without a file's Do; most are in the rehearsal.
func notices(file string) string {
	switch file {
	case "change.go":
		return "^TestScripts$/^roster_change$"
	case "rebuild.go", "take_over.go":
		return "^TestScripts$/^reconcile$"
	case "fence.go":
		return "^TestScripts$/^fence$"
	case "compromise.go":
		return "^TestScripts$/^compromise$"
	case "disable.go", "ceremony_enable.go":
		return "^TestScripts$/^disable$"
	case "adopt.go":
		return "^TestAdoptSample$"
	case "destroy.go":
		return "^TestRehearsalEnv$"
	}
	return "^TestRehearsalEnv$"
}

// TestMutations empties each Do in turn: the test that names it must fail.
func TestMutations(t *testing.T) {
	files, err := filepath.Glob("../../internal/steps/*.go")
	if err != nil {
		t.Fatal(err)
	}
	mutants := 0
	for _, path := range files {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range doing.FindAllIndex(source, -1) {
			mutants++
			t.Run(filepath.Base(path), func(t *testing.T) {
				t.Parallel()
				body := string(source[:at[1]]) + "\n\tif true {\n\t\treturn nil, nil\n\t}" + string(source[at[1]:])
				survives(t, path, body, notices(filepath.Base(path)))
			})
		}
	}
	if mutants != 15 {
		t.Errorf("%d mutants, want 15: generate, canary, lock, switch, re-wrap, retire, change, rebuild, take over, adopt, "+
			"compromise, fence, disable, enable, destroy",
			mutants)
	}
}

// refusal is a condition in a file, what makes it never true, and the test that must fail then.
type refusal struct{ file, condition, never, test string }

// refusals are conditions that an adoption and what follows on it refuse by: without one, the test
// must fail.
var refusals = []refusal{
	{"internal/steps/ceremony_adopt.go", `if s.Records == "" {`, "if false {", "TestAdoptRefused"},
	{"internal/steps/ceremony_adopt.go", "return facts, noStrangers(ctx, s)", "return facts, nil", "TestAdoptRefused"},
	{"internal/steps/unused.go", "if len(keks) > 0 {", "if false {", "TestAdoptRefused"},
	{"internal/steps/unused.go", `if lock.Chain != "" {`, "if false {", "TestAdoptSample"},
	{"internal/steps/theirs.go", "if errors.Is(err, store.ErrNotFound) {", "if true {", "TestAdoptRefused"},
	{"internal/steps/theirs.go", "if s.Pointer == nil {", "if false {", "TestAdoptedPointer"},
	{"internal/steps/theirs.go", "if is := describe(s.Pointer); was != is && (began || was != noPointer) {",
		"if is := describe(s.Pointer); false && was != is {", "TestAdoptSample"},
	{"internal/steps/theirs.go", "if err == nil && !slices.Contains(may, theirs) {", "if false {", "TestAdoptedPointer"},
	{"internal/steps/theirs.go", "err = s.Store.MoveTheirActive(ctx, *s.Pointer, from, f.Version(transcript.FactTo))",
		"_, err = from, error(nil)", "TestAdoptedPointer"},
	{"internal/steps/survey.go", "if c.Version == 0 {", "if false {", "TestAdoptRefused"},
	{"internal/steps/survey.go", "if len(seen) == 0 {", "if false {", "TestAdoptRefused"},
	{"internal/steps/survey.go", "if errors.Is(err, provider.ErrNoKey) {", "if false {", "TestAdoptRefused"},
	{"internal/steps/survey.go", "if !s.Decided(sampled) {", "if false {", "TestAdoptSample"},
	{"internal/steps/survey.go", "if key.Doubt != nil {", "if false {", "TestAdoptedToken"},
	{"internal/steps/ceremony_adopt.go", `if name, err := s.Store.Occupied(ctx); err != nil || name != "" {`,
		"if name, err := s.Store.Occupied(ctx); err != nil {", "TestAdoptOccupied"},
	{"internal/steps/adopt.go", "if err := namesOneOf(ctx, s, *s.Pointer, f.Version(transcript.FactActive)); err != nil {",
		"if err := error(nil); err != nil {", "TestAdoptTheirPointerMoves"},
	{"internal/steps/switch.go", "if err := lift(ctx, s, f); err != nil {", "if err := error(nil); err != nil {",
		"TestScripts$/^fence"},
	{"internal/steps/ceremony_rotate.go", "if err != nil || len(s.History.Versions().Fence(fenced)) > 0 {",
		"if _ = fenced; err != nil {", "TestScripts$/^fence"},
	{"internal/history/refused.go", "if lost || more || c.Refuses(v.Active) {",
		"if lost && false || more || c.Refuses(v.Active) {", "TestScripts$/^fence"},
	{"internal/steps/placed.go", "if err == nil && c.Version == v {", "if false {", "TestWrittenBefore"},
	{"internal/steps/ceremony_reconcile.go", "err == nil && first.Opened() != nil && was != parts.Records {",
		"false && was != parts.Records {", "TestReconcileOtherRecords"},
	{"internal/rewrap/open.go", "if len(o.failed) > 0 {", "if false {", "TestAdoptRefused"},
	{"internal/rewrap/open.go", "envelope.PlaceOf(h.Path), h.Version)", "envelope.PlaceOf(h.Path), 0)",
		"TestAdoptSampleOfVersions"},
	{"internal/steps/writable.go", "why = ErrCompromised", "return nil",
		"TestScripts$/^compromise"},
	{"internal/steps/ceremony_compromise.go", "if is := s.History.Versions().Made[v].State; is != k.State {",
		"if is := s.History.Versions().Made[v].State; false {", "TestScripts$/^compromise"},
	{"internal/steps/ceremony_disable.go", "case facts.Version(transcript.FactActive) == v:", "case false:",
		"TestScripts$/^disable$"},
	{"internal/steps/writable.go", "why = ErrDisabled", "return nil", "TestScripts$/^disable$"},
	{"internal/provider/pkcs11/key.go", "case len(found[0]) != 1 || slices.ContainsFunc(found, other):",
		"case len(found) == 0 && slices.ContainsFunc(found, other):", "TestAdoptedToken"},
}

// TestRefusals takes each refusal away in turn: the test that names it must fail.
func TestRefusals(t *testing.T) {
	for _, r := range slices.Concat(refusals, leavings) {
		t.Run(r.file+" "+r.condition, func(t *testing.T) {
			t.Parallel()
			survives(t, filepath.Join("../..", r.file), r.without(t), "^"+r.test+"$")
		})
	}
}

// TestMutationsFit: each entry of TestRefusals, which takes long, still is one of the source.
func TestMutationsFit(t *testing.T) {
	for _, r := range slices.Concat(refusals, leavings) {
		t.Run(r.file+" "+r.condition, func(t *testing.T) {
			if _, err := format.Source([]byte(r.without(t))); err != nil {
				t.Error(err)
			}
		})
	}
}

// without is the file without the refusal.
func (r refusal) without(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("../..", r.file))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), r.condition); n != 1 {
		t.Fatalf("%s stands there %d times", r.condition, n)
	}
	return strings.Replace(string(source), r.condition, r.never, 1)
}

// survives builds the program with another body of a file, and demands that a test of this binary fails with it.
func survives(t *testing.T, path, body, test string) {
	dir := t.TempDir()
	mutant, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {abs: mutant}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{mutant: []byte(body), overlay: text} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "kekceremony")
	if err := buildProgram(program, "-overlay="+overlay); err != nil {
		t.Fatal("the mutant: ", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run="+test, "-test.timeout=10m", "-program="+program)
	out, err := cmd.CombinedOutput()
	_, failed, _ := strings.Cut(string(out), "--- FAIL: ")
	switch {
	case err == nil:
		t.Errorf("nothing noticed:\n%s", out)
	case failed == "":
		t.Fatalf("the test did not run: %v\n%s", err, out)
	default: // for a reader: it may have failed for another reason
		t.Logf("%.400s", failed)
	}
}
