package storetest

import (
	"errors"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// testTheirs reads and moves the pointer of an application, and nothing beside it.
func testTheirs(t *testing.T, b Backend) {
	s, a := b.Open(t)
	p := store.Pointer{Collection: "app_versions", Filter: map[string]any{b.ID: "active"}, Field: "in_use"}
	if _, err := s.TheirActive(t.Context(), p); err == nil {
		t.Error("a pointer is there before the application wrote it")
	}
	a.PutTree(t, p.Collection, "1", map[string]any{"state": "old", "in_use": int64(7)})
	_, err := s.TheirActive(t.Context(), p)
	want(t, "no record fits", err, store.ErrNotFound)
	a.PutTree(t, p.Collection, "active", map[string]any{"in_use": int64(1), "note": "theirs"})
	v, err := s.TheirActive(t.Context(), p)
	want(t, "read", err, nil)
	same(t, "version", v, kek.Version(1))
	want(t, "move from another", s.MoveTheirActive(t.Context(), p, 2, 3), store.ErrConflict)
	want(t, "move", s.MoveTheirActive(t.Context(), p, 1, 2), nil)
	want(t, "move again", s.MoveTheirActive(t.Context(), p, 1, 2), store.ErrConflict)
	same(t, "record", a.GetTree(t, p.Collection, "active"), map[string]any{"in_use": int64(2), "note": "theirs"})
	same(t, "beside", a.GetTree(t, p.Collection, "1"), map[string]any{"state": "old", "in_use": int64(7)})

	all := store.Pointer{Collection: p.Collection, Field: p.Field}
	_, err = s.TheirActive(t.Context(), all)
	want(t, "two records", err, store.ErrPointer)
	if err := s.MoveTheirActive(t.Context(), all, 2, 3); !errors.Is(err, store.ErrPointer) &&
		!errors.Is(err, store.ErrConflict) {
		t.Errorf("move of two: %v", err)
	}
	a.PutTree(t, p.Collection, "active", map[string]any{"in_use": "two"})
	_, err = s.TheirActive(t.Context(), p)
	want(t, "no version", err, store.ErrPointer)
}

// testOtherLock finds a lock of ours under another prefix, and none of an application.
func testOtherLock(t *testing.T, b Backend) {
	s, a := b.Open(t)
	a.PutTree(t, "app_install", "singleton", map[string]any{"kind": "theirs"})
	l := store.Lock{Provider: "env", Chain: kek.NewChain(), Ceremony: 1, Roster: "r"}
	s.Under("one_")
	want(t, "lock", s.InsertLock(t.Context(), l), nil)
	_, _, err := s.OtherLock(t.Context())
	want(t, "its own", err, store.ErrNotFound)
	for _, prefix := range []string{"", "two_"} {
		s.Under(prefix)
		other, name, err := s.OtherLock(t.Context())
		want(t, "other", err, nil)
		same(t, "chain", other.Chain, l.Chain)
		same(t, "name", name, "one_install")
	}
}
