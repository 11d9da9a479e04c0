package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// goodChain is a copy of the good specimens, and the path of the newest bundle.
func goodChain(t *testing.T) (dir, newest string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../transcripts/good")); err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob(filepath.Join(dir, "*", "events.jsonl"))
	if err != nil || len(all) == 0 {
		t.Fatalf("%d bundles, %v", len(all), err)
	}
	return dir, filepath.Dir(all[len(all)-1])
}

// TestChainNamesAll: somebody takes a bundle's log away, so that its directory is passed over.
// Every entry of the directory is a bundle, named as foreign, or refused.
func TestChainNamesAll(t *testing.T) {
	t.Parallel()
	dir, newest := goodChain(t)
	for _, name := range []string{"notes.txt", "." + filepath.Base(newest) + ".answered", ".attempts-854120d684eeabb8"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errs := run(t, "transcript", "verify", "--chain", dir)
	if code != 0 || !strings.Contains(out, "foreign: notes.txt: ") || strings.Count(out, "foreign: ") != 1 {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if err := os.Remove(filepath.Join(newest, "events.jsonl")); err != nil {
		t.Fatal(err)
	}
	code, out, errs = run(t, "transcript", "verify", "--chain", dir)
	if code != 4 || !strings.Contains(out, "bad: "+filepath.Base(newest)) {
		t.Errorf("without its log: exit %d\n%s%s", code, out, errs)
	}
}

// TestVanishedFinal: somebody who disagreed with the newest ceremony signed, and her final is
// taken away. Nothing can tell that it was there, so that she is named.
func TestVanishedFinal(t *testing.T) {
	t.Parallel()
	dir, newest := goodChain(t)
	finals, err := filepath.Glob(filepath.Join(newest, "final.*.txt.sig"))
	if err != nil || len(finals) < 3 {
		t.Fatalf("%d finals, %v", len(finals), err)
	}
	sig := finals[len(finals)-1]
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(sig), "final."), ".txt.sig")
	for _, path := range []string{sig, strings.TrimSuffix(sig, ".sig")} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errs := run(t, "transcript", "verify", "--chain", dir)
	if code != 0 || !strings.Contains(out, "no final of "+name+", who attended") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}
