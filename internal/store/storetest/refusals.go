package storetest

import (
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/store"
)

// testRefusals: each process has one row for each version, which counts.
func testRefusals(t *testing.T, b Backend) {
	s, _ := b.Open(t)
	ctx := t.Context()
	got, err := s.Refusals(ctx, 1)
	want(t, "none", err, nil)
	same(t, "none", len(got), 0)
	for _, epoch := range []int{2, 4, 3} {
		want(t, "refuse", s.Refuse(ctx, "host/app/1/x", "app", 1, epoch), nil)
	}
	want(t, "another process", s.Refuse(ctx, "host/app/2/x", "worker", 1, 2), nil)
	want(t, "another version", s.Refuse(ctx, "host/app/2/x", "worker", 2, 9), nil)
	now, err := s.Now(ctx)
	want(t, "clock", err, nil)
	got, err = s.Refusals(ctx, 1)
	want(t, "list", err, nil)
	for i := range got {
		if age := now.Sub(got[i].Last); age.Abs() > time.Minute {
			t.Errorf("refused %s ago", age)
		}
		got[i].Last = time.Time{}
	}
	same(t, "refusals, the newest epoch first", got, []store.Refusal{
		{Version: 1, Process: "host/app/1/x", Role: "app", Epoch: 4, Count: 3},
		{Version: 1, Process: "host/app/2/x", Role: "worker", Epoch: 2, Count: 1},
	})
}
