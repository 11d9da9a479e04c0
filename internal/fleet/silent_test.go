package fleet_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// counted is a store that counts how often somebody asks who is silent.
type counted struct {
	shifted
	times int
}

func (s *counted) Silent(ctx context.Context, since time.Time, after string, limit int) ([]store.Heartbeat, error) {
	s.times++
	return s.Fleet.Silent(ctx, since, after, limit)
}

// TestSilence: who looks again within a second does not read again who is silent. A process that came back meanwhile
// is live at once, and is no silent one as well.
func TestSilence(t *testing.T) {
	ctx := t.Context()
	db, err := sqlite.Create(ctx, filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := &counted{shifted: shifted{db, time.Hour}}
	for _, name := range []string{"host/app/1/1", "host/app/2/1"} {
		if err := db.Heartbeat(ctx, store.Heartbeat{Process: name, Role: "app", Number: 1}); err != nil {
			t.Fatal(err)
		}
	}
	rule := fleet.Rule{Chain: "c", Target: 2, Canary: []byte("the canary"), Live: time.Minute, Silence: new(fleet.Silence)}
	silent := func() (names []string) {
		t.Helper()
		table, err := fleet.Look(ctx, s, rule)
		if err != nil || len(table.Processes) != 2 {
			t.Fatalf("%+v, %v", table, err)
		}
		for _, p := range table.Processes {
			if p.Silent {
				names = append(names, p.Name)
			}
		}
		return names
	}
	if names := silent(); len(names) != 2 {
		t.Errorf("both are silent: %q", names)
	}
	if err := db.Heartbeat(ctx, store.Heartbeat{Process: "host/app/1/1", Role: "app", Number: 2}); err != nil {
		t.Fatal(err)
	}
	s.by = 0 // both were seen a moment ago
	began := time.Now()
	names, times := silent(), s.times
	if time.Since(began) < time.Second && (len(names) != 0 || times != 1) {
		t.Errorf("%d times; silent: %q", times, names)
	}
	rule.Silence = nil
	if silent(); s.times == times || slices.Contains(names, "host/app/1/1") {
		t.Errorf("without it: %d times", s.times)
	}
}
