package history_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// firstFacts make a first line that may stand.
var firstFacts = transcript.Facts{"format": transcript.FormatV1, "chain": "0123456789abcdef0123456789abcdef",
	"ceremony": "1", "mode": "production"}

// TestTwoConsoles: a second console builds the bundle from the store and goes
// on; the first one stops at its next event, and its bundle stays a beginning of
// the other.
func TestTwoConsoles(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	db, err := sqlite.Create(ctx, filepath.Join(dir, "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	log := history.Fence{Log: db, Seq: 1}
	first, err := transcript.Create(filepath.Join(dir, "first"), transcript.NoDigest, log, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := first.Append(ctx, transcript.Opened, "", firstFacts); err != nil {
		t.Fatal(err)
	}
	_, _, err = transcript.Resume(ctx, first.Dir, transcript.NoDigest, log, time.Now)
	if !errors.Is(err, transcript.ErrLocked) {
		t.Errorf("the same directory: %v", err)
	}
	second, cut, err := transcript.Resume(ctx, filepath.Join(dir, "second"), transcript.NoDigest, log, time.Now)
	if err != nil || len(cut) != 0 || len(second.Events) != 1 {
		t.Fatalf("resume elsewhere: %v, %d events", err, len(second.Events))
	}
	defer second.Close()
	if _, err := second.Append(ctx, transcript.Resumed, "", nil); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and it stays stopped
		if _, err := first.Append(ctx, transcript.Found, "probe", nil); !errors.Is(err, transcript.ErrFenced) {
			t.Errorf("the first console continued: %v", err)
		}
	}
	one, _ := os.ReadFile(filepath.Join(dir, "first", "events.jsonl"))
	two, _ := os.ReadFile(filepath.Join(dir, "second", "events.jsonl"))
	if len(one) == 0 || len(one) >= len(two) || string(two[:len(one)]) != string(one) {
		t.Errorf("the logs differ:\n%s\n%s", one, two)
	}
}

// TestTornLine: a line cut by a crash is taken off, and its digest is told.
func TestTornLine(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	db, err := sqlite.Create(ctx, filepath.Join(dir, "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	w, err := transcript.Create(filepath.Join(dir, "b"), transcript.NoDigest, history.Fence{Log: db, Seq: 1}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Append(ctx, transcript.Opened, "", firstFacts); err != nil {
		t.Fatal(err)
	}
	w.Close()
	path := filepath.Join(dir, "b", "events.jsonl")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	const half = `{"prev":"00`
	if _, err := f.WriteString(half); err != nil {
		t.Fatal(err)
	}
	f.Close()
	again, cut, err := transcript.Resume(ctx, filepath.Join(dir, "b"), transcript.NoDigest,
		history.Fence{Log: db, Seq: 1}, time.Now)
	if err != nil || cut["torn_sha256"] != transcript.Digest([]byte(half)) || len(again.Events) != 1 {
		t.Fatalf("got %v, cut %s", err, cut)
	}
	defer again.Close()
	if _, err := again.Append(ctx, transcript.Resumed, "", cut); err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(path)
	if _, err := transcript.ParseLog(data); err != nil {
		t.Error(err)
	}
}

// TestTornFile: a file that a crash cut is written again from the store. Another one is
// refused, and so is a link, which would have somebody else's file read.
func TestTornFile(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	db, err := sqlite.Create(ctx, filepath.Join(dir, "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	log, bundle := history.Fence{Log: db, Seq: 1}, filepath.Join(dir, "b")
	w, err := transcript.Create(bundle, transcript.NoDigest, log, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Append(ctx, transcript.Opened, "", firstFacts); err != nil {
		t.Fatal(err)
	}
	const whole = "the core\n"
	path := filepath.Join(bundle, "final.txt")
	if err := w.Final(ctx, "final.txt", []byte(whole)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for name, c := range map[string]struct {
		spoil func() error
		want  error
	}{
		"cut":     {func() error { return os.WriteFile(path, []byte("the"), 0o600) }, nil},
		"empty":   {func() error { return os.WriteFile(path, nil, 0o600) }, nil},
		"missing": {func() error { return nil }, nil},
		"another": {func() error { return os.WriteFile(path, []byte("The core\n"), 0o600) }, transcript.ErrForked},
		"a link":  {func() error { return os.Symlink(filepath.Join(dir, "elsewhere"), path) }, file.ErrLink},
	} {
		if err := errors.Join(os.Remove(path), c.spoil()); err != nil {
			t.Fatal(err)
		}
		again, _, err := transcript.Resume(ctx, bundle, transcript.NoDigest, log, time.Now)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil {
			continue
		}
		again.Close()
		if data, err := os.ReadFile(path); err != nil || string(data) != whole {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}
