package history_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// firstFacts make a first line that may stand.
var firstFacts = transcript.Facts{"chain": "0123456789abcdef0123456789abcdef", "mode": "production"}

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
	if !errors.Is(err, transcript.ErrHeld) {
		t.Errorf("the same directory: %v", err)
	}
	second, torn, err := transcript.Resume(ctx, filepath.Join(dir, "second"), transcript.NoDigest, log, time.Now)
	if err != nil || torn != "" || len(second.Events) != 1 {
		t.Fatalf("resume elsewhere: %v, %d events", err, len(second.Events))
	}
	defer second.Close()
	if _, err := second.Append(ctx, transcript.Resumed, "", nil); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and it stays stopped
		if _, err := first.Append(ctx, transcript.Found, "probe", nil); !errors.Is(err, transcript.ErrFenced) {
			t.Errorf("the first console went on: %v", err)
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
	again, torn, err := transcript.Resume(ctx, filepath.Join(dir, "b"), transcript.NoDigest,
		history.Fence{Log: db, Seq: 1}, time.Now)
	if err != nil || torn != transcript.Digest([]byte(half)) || len(again.Events) != 1 {
		t.Fatalf("got %v, torn %s", err, torn)
	}
	defer again.Close()
	if _, err := again.Append(ctx, transcript.Resumed, "", transcript.Facts{"torn_sha256": torn}); err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(path)
	if _, err := transcript.ParseLog(data); err != nil {
		t.Error(err)
	}
}
