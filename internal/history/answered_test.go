package history_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// unheard is a fence whose answer is lost before the line arrives.
type unheard struct{ transcript.Fence }

var errUnheard = errors.New("the store does not answer")

func (unheard) Append(context.Context, string, []byte) error { return errUnheard }

// TestNeverArrived: a line that the store never answered for is written there by the next
// run while its number is free. When another console took the number, it is taken off the
// disk and never written there, and its digest is told.
func TestNeverArrived(t *testing.T) {
	t.Parallel()
	for _, taken := range []bool{false, true} {
		ctx, dir := t.Context(), t.TempDir()
		db, err := sqlite.Create(ctx, filepath.Join(dir, "s.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		log, bundle := history.Fence{Log: db, Seq: 1}, filepath.Join(dir, "first")
		begin(t, log, bundle)
		w, _, err := transcript.Resume(ctx, bundle, transcript.NoDigest, unheard{log}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := w.Append(ctx, transcript.Found, "probe", transcript.Facts{"serial": "1"})
		if !errors.Is(err, errUnheard) {
			t.Fatal(err)
		}
		w.Close()
		if taken {
			second, _, err := transcript.Resume(ctx, filepath.Join(dir, "second"), transcript.NoDigest, log, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := second.Append(ctx, transcript.Found, "probe", transcript.Facts{"serial": "2"}); err != nil {
				t.Fatal(err)
			}
			second.Close()
		}
		again, cut, err := transcript.Resume(ctx, bundle, transcript.NoDigest, log, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		again.Close()
		serial := again.State.Facts["serial"]
		if !taken && (serial != "1" || len(cut) != 0) || taken && (serial != "2" || cut["own_sha256"] != ours.Head()) {
			t.Errorf("taken %t: serial %s, cut off %v", taken, serial, cut)
		}
		if entries, err := db.Entries(ctx, 1); err != nil || len(entries) != 2 || len(again.Events) != 2 {
			t.Errorf("taken %t: %d lines in the store, %d on the disk, %v", taken, len(entries), len(again.Events), err)
		}
	}
}

// TestAnsweredLines: a store that has not what it once accepted went back or was edited, and
// is given nothing. A bundle of an older program has no such record: of its lines, the last
// alone may never have arrived.
func TestAnsweredLines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keep  int // lines that the store still has, of 4
		older bool
		want  error
	}{
		"all":                    {4, false, nil},
		"the last is gone":       {3, false, transcript.ErrWentBack},
		"two are gone":           {2, false, transcript.ErrWentBack},
		"all of an older":        {4, true, nil},
		"the last of an older":   {3, true, nil},
		"two of an older":        {2, true, transcript.ErrWentBack},
		"another line":           {-1, false, transcript.ErrWentBack},
		"another line, an older": {-1, true, transcript.ErrWentBack},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, dir := t.Context(), t.TempDir()
			bundle := filepath.Join(dir, "b")
			fence := &edited{}
			begin(t, fence, bundle)
			w, _, err := transcript.Resume(ctx, bundle, transcript.NoDigest, fence, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			for _, serial := range []string{"1", "2", "3"} {
				if _, err := w.Append(ctx, transcript.Found, "probe", transcript.Facts{"serial": serial}); err != nil {
					t.Fatal(err)
				}
			}
			w.Close()
			if c.older {
				if err := os.Remove(filepath.Join(dir, ".b.answered")); err != nil {
					t.Fatal(err)
				}
			}
			if c.keep < 0 {
				fence.entries[1].Data = append([]byte(nil), fence.entries[2].Data...)
			} else {
				fence.entries = fence.entries[:c.keep]
			}
			before := len(fence.entries)
			again, _, err := transcript.Resume(ctx, bundle, transcript.NoDigest, fence, time.Now)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v", err)
			}
			if err == nil {
				again.Close()
				return
			}
			if len(fence.entries) != before {
				t.Error("it was given lines")
			}
			if c.keep < 0 {
				return
			}
			// The bundle is moved away: it is built again from what the store has.
			if err := os.Rename(bundle, bundle+".away"); err != nil {
				t.Fatal(err)
			}
			again, _, err = transcript.Resume(ctx, bundle, transcript.NoDigest, fence, time.Now)
			if err != nil || len(again.Events) != c.keep || !again.Copied {
				t.Fatalf("moved away: %v", err)
			}
			again.Close()
		})
	}
}

// begin makes a bundle with its first line.
func begin(t *testing.T, fence transcript.Fence, bundle string) {
	t.Helper()
	w, err := transcript.Create(bundle, transcript.NoDigest, fence, time.Now)
	if err == nil {
		_, err = w.Append(t.Context(), transcript.Opened, "", firstFacts)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
}

// edited is a store whose entries somebody edits.
type edited struct{ entries []transcript.Entry }

func (e *edited) Entries(context.Context) ([]transcript.Entry, error) { return e.entries, nil }

func (e *edited) Append(_ context.Context, name string, data []byte) error {
	e.entries = append(e.entries, transcript.Entry{Name: name, Data: data})
	return nil
}
