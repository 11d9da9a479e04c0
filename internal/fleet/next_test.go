package fleet_test

import (
	"bytes"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// keyed is an env provider with one key of version 1, of a byte.
func keyed(t *testing.T, b byte) provider.Provider {
	t.Helper()
	key := hex.EncodeToString(bytes.Repeat([]byte{b}, kek.Size))
	p, err := env.Open(env.Config{}, []string{env.Variable(1) + "=" + key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// TestNext: a process that is told to proves a version that no ceremony made yet, for one
// heartbeat of its own, to who has the same key.
func TestNext(t *testing.T) {
	ctx := t.Context()
	db, err := sqlite.Create(ctx, filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	has := func(b byte) bool {
		t.Helper()
		console := keyed(t, b)
		table, err := fleet.Look(ctx, db, fleet.Rule{Chain: chain, Target: 1, Live: time.Minute,
			Unwrap: func(wrapped, into []byte) error { return console.Unwrap(ctx, kek.NameOf(chain, 1), wrapped, into) }})
		if err != nil || len(table.Processes) != 1 || !table.Unmade {
			t.Fatalf("%+v, %v", table, err)
		}
		return table.Processes[0].Has
	}
	m := &fleet.Member{Store: db, Provider: keyed(t, 1), Chain: chain, Role: "app", Every: time.Minute, Live: time.Minute,
		Report: func(string) {}}
	look := func() store.Heartbeat {
		t.Helper()
		if err := m.Look(ctx); err != nil {
			t.Fatal(err)
		}
		all, err := db.Heartbeats(ctx, time.Time{})
		if err != nil || len(all) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		return all[0]
	}
	if look(); has(1) {
		t.Error("it was not told to")
	}
	m.Placed = true
	first := look()
	if !has(1) || has(2) {
		t.Error("one with the same key, and none with another")
	}
	if first.Trouble != "" || first.Current != 0 {
		t.Errorf("%+v", first)
	}
	later := look()
	if later.Proofs[1] == first.Proofs[1] || !has(1) {
		t.Error("each heartbeat has a proof of its own")
	}
	canary, _, _ := strings.Cut(first.Proofs[1], ".")
	_, proof, _ := strings.Cut(later.Proofs[1], ".")
	for _, forged := range []string{
		first.Proofs[1], later.Proofs[1], canary, canary + "." + proof, "xx." + proof, "." + proof, "",
	} {
		later.Number++ // a process would have made another
		later.Proofs = map[kek.Version]string{1: forged}
		if err := db.Heartbeat(ctx, later); err != nil {
			t.Fatal(err)
		}
		if has(1) {
			t.Errorf("%q passed", forged)
		}
	}
	later.Number++ // nothing unwraps it, and the proof is of what is there then
	later.Proofs[1] = canary[2:] + "." + fleet.Proof(make([]byte, kek.Size), chain, 1, later)
	if err := db.Heartbeat(ctx, later); err != nil {
		t.Fatal(err)
	}
	if has(1) {
		t.Error("a value of zeros passed")
	}
}
