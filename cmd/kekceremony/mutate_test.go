//go:build mutate

package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// doing finds the body of every Do in the steps.
var doing = regexp.MustCompile(`(?m)^\t+Do: func\(.*\) \(Facts, error\) \{$|^func runRewrap\(.*\) \(Facts, error\) \{$`)

// notices is the test that must fail without a file's Do; most are in the rehearsal.
func notices(file string) string {
	switch file {
	case "change.go":
		return "^TestScripts$/^roster_change$"
	case "rebuild.go", "take_over.go":
		return "^TestScripts$/^reconcile$"
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
				survives(t, path, body)
			})
		}
	}
	if mutants != 9 {
		t.Errorf("%d mutants, want 9: generate, canary, lock, switch, re-wrap, retire, change, rebuild, take over", mutants)
	}
}

func survives(t *testing.T, path, body string) {
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
	build := exec.Command("go", "build", "-overlay", overlay, "-o", os.DevNull, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the mutant does not build: %v\n%s", err, out)
	}
	cmd := exec.Command("go", "test", "-count=1", "-run", notices(filepath.Base(path)), ".")
	cmd.Env = append(os.Environ(), "GOFLAGS=-overlay="+overlay)
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("nothing noticed:\n%s", out)
	}
}
