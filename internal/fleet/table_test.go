package fleet_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// shifted is a store whose clock is set.
type shifted struct {
	store.Fleet
	by time.Duration
}

func (s *shifted) Now(ctx context.Context) (time.Time, error) {
	now, err := s.Fleet.Now(ctx)
	return now.Add(s.by), err
}

// TestClockBack: the store's clock goes an hour back. A process that reported before
// is still waited for, and does not count as one that is there; anyone who is live
// reports again.
func TestClockBack(t *testing.T) {
	ctx := t.Context()
	db, err := sqlite.Create(ctx, filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	rule := fleet.Rule{
		Chain:  "c",
		Target: 2,
		Canary: []byte("the canary"),
		Live:   4 * time.Second,
		Expect: map[string]int{"app": 1},
	}
	heartbeat := store.Heartbeat{Process: "host/app/1/1", Role: "app", Current: 1, Number: 1}
	if err := db.Heartbeat(ctx, heartbeat); err != nil {
		t.Fatal(err)
	}
	s := &shifted{db, 0}
	look := func() fleet.Table {
		t.Helper()
		table, err := fleet.Look(ctx, s, rule)
		if err != nil || len(table.Processes) != 1 {
			t.Fatalf("%+v, %v", table, err)
		}
		return table
	}
	if why := look().Lacking().Why; !strings.Contains(why, "processes without version 2: host/app/1/1") {
		t.Errorf("before: %s", why)
	}
	s.by = -time.Hour
	table := look()
	if why := table.Lacking().Why; why != "only 0 of 1 app" ||
		!strings.Contains(table.Processes[0].Trouble, "ahead of the store's clock") || table.Processes[0].Silent {
		t.Errorf("an hour back: %s, %+v", why, table.Processes[0])
	}
	s.by = time.Hour // forward: it is silent until it reports
	if p := look().Processes[0]; !p.Silent {
		t.Errorf("an hour on: %+v", p)
	}
	s.by = 0
	heartbeat.Number = 2
	proof := fleet.Proof(rule.Canary, rule.Chain, 2, store.Heartbeat{Process: heartbeat.Process, Number: 2})
	heartbeat.Proofs = map[kek.Version]string{2: proof}
	if err := db.Heartbeat(ctx, heartbeat); err != nil {
		t.Fatal(err)
	}
	if why := look().Lacking().Why; why != "" {
		t.Errorf("it reported again with a proof: %s", why)
	}
}

// TestLongLease: a process that relies on what it saw for longer than anybody waits for it is not
// ready, whatever it proves.
func TestLongLease(t *testing.T) {
	ctx := t.Context()
	db, err := sqlite.Create(ctx, filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	rule := fleet.Rule{Chain: "c", Target: 2, Canary: []byte("the canary"), Live: 4 * time.Second}
	for lease, want := range map[time.Duration]string{
		4 * time.Second: "", 5 * time.Second: "processes without version 2: host/app/1/1",
	} {
		b := store.Heartbeat{Process: "host/app/1/1", Role: "app", Number: 1, Lease: lease}
		b.Proofs = map[kek.Version]string{2: fleet.Proof(rule.Canary, rule.Chain, 2, b)}
		if err := db.Heartbeat(ctx, b); err != nil {
			t.Fatal(err)
		}
		table, err := fleet.Look(ctx, db, rule)
		if err != nil || table.Lacking().Why != want {
			t.Errorf("lease %s: %q, %v", lease, table.Lacking().Why, err)
		}
	}
}

// TestBinds: a process that does not say that it can bind is not ready for a bound version, whatever it
// proves, and is named.
func TestBinds(t *testing.T) {
	ctx := t.Context()
	db, err := sqlite.Create(ctx, filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, c := range []struct {
		bound, binds bool
		want         string
	}{
		{false, false, ""}, {false, true, ""}, {true, true, ""}, {true, false, "processes without version 2: host/app/1/1"},
	} {
		b := store.Heartbeat{Process: "host/app/1/1", Role: "app", Number: 1, Binds: c.binds}
		rule := fleet.Rule{Chain: "c", Target: 2, Canary: []byte("the canary"), Bound: c.bound, Live: 4 * time.Second}
		b.Proofs = map[kek.Version]string{2: fleet.Proof(rule.Canary, rule.Chain, 2, b)}
		if err := db.Heartbeat(ctx, b); err != nil {
			t.Fatal(err)
		}
		table, err := fleet.Look(ctx, db, rule)
		if err != nil || table.Lacking().Why != c.want {
			t.Errorf("bound %t, binds %t: %q, %v", c.bound, c.binds, table.Lacking().Why, err)
			continue
		}
		if said := strings.Contains(table.Processes[0].Trouble, "bound to records"); said != (c.want != "") {
			t.Errorf("bound %t, binds %t: trouble %q", c.bound, c.binds, table.Processes[0].Trouble)
		}
	}
}
