package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// What a store may have lost beside versions, as FactRebuild says it.
const (
	lostLock    = "lock"
	lostPointer = "pointer"
)

// lost lists what the ceremonies made and the store does not have: its lock, its pointer, and
// versions by number.
func lost(ctx context.Context, m *history.Merged) (gone []string, err error) {
	_, err = m.Store.Lock(ctx)
	if errors.Is(err, store.ErrNotFound) {
		gone, err = append(gone, lostLock), nil
	}
	if err != nil {
		return nil, err
	}
	_, err = m.Active(ctx)
	if errors.Is(err, store.ErrNotFound) {
		gone, err = append(gone, lostPointer), nil
	}
	if err != nil {
		return nil, err
	}
	keks, err := m.KEKs(ctx)
	for _, v := range slices.Sorted(maps.Keys(m.Versions.Made)) {
		if !slices.ContainsFunc(keks, func(k store.KEK) bool { return k.Version == v }) {
			gone = append(gone, v.String())
		}
	}
	return gone, err
}

// rebuilds reports whether a ceremony makes a version's row again.
func rebuilds(f Facts, v kek.Version) bool {
	return slices.Contains(strings.Fields(f[transcript.FactRebuild]), v.String())
}

// rebuild makes again what the store lost, from the transcripts: keys are found by their
// CKA_ID. A canary is new, since a transcript has only the digest of the old one.
func rebuild() Step {
	return Step{
		Name: transcript.ActRebuild, Title: "Rebuild the versions",
		Why: "Rows that the store lost are made again from the transcripts, each with a new canary of its key.",
		Act: &Act{
			Fresh: true,
			Plan: func(s *Site, f Facts) (effects []Effect) {
				for what := range strings.FieldsSeq(f[transcript.FactRebuild]) {
					object := "the " + what
					if v, err := kek.ParseVersion(what); err == nil {
						n, with := s.Name(v), "with a new canary"
						if s.History.Versions().Made[v].State.Doomed() {
							with = "whose destruction was begun, without a canary"
						}
						object = fmt.Sprintf("version %d of key %s, id %s, %s", v, n.Label, n.HexID(), with)
					}
					effects = append(effects, Effect{Verb: "rebuild", Object: object, Undo: "none needed"})
				}
				return effects
			},
			State: rebuilt,
			Do: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
				m, err := merged(s)
				if err != nil {
					return nil, err
				}
				gone, err := approvedLost(ctx, m, f)
				for _, what := range gone {
					if err == nil {
						err = restore(ctx, s, m, what)
					}
				}
				return nil, err
			},
		},
	}
}

// approvedLost is what is lost of that which the ceremony opened with. What was lost since is the
// next one's.
func approvedLost(ctx context.Context, m *history.Merged, f Facts) ([]string, error) {
	gone, err := lost(ctx, m)
	approved := strings.Fields(f[transcript.FactRebuild])
	return slices.DeleteFunc(gone, func(what string) bool { return !slices.Contains(approved, what) }), err
}

// rebuilt looks whether nothing is lost, and opens the canaries of the versions that were.
func rebuilt(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
	m, err := merged(s)
	if err != nil {
		return NotBegun, nil, err
	}
	gone, err := approvedLost(ctx, m, f)
	if err != nil || len(gone) > 0 {
		return NotBegun, nil, err
	}
	all := Facts{}
	for v, k := range m.Versions.Made {
		if !rebuilds(f, v) || k.State.Doomed() {
			continue
		}
		state, facts, err := canaryState(ctx, s, v, false)
		if err != nil || state != Done {
			return state, nil, err
		}
		maps.Copy(all, facts)
	}
	return Done, all, nil
}

// restore makes one thing again that the store lost.
func restore(ctx context.Context, s *Site, m *history.Merged, what string) error {
	switch what {
	case lostLock:
		return s.Store.InsertLock(ctx, m.Versions.Lock)
	case lostPointer:
		return s.Store.MoveActive(ctx, store.Active{}, store.Active{Version: m.Versions.Active, Epoch: 1})
	}
	v, err := kek.ParseVersion(what)
	if err != nil {
		return err
	}
	k := m.Versions.Made[v]
	if k.State.Doomed() {
		k.Canary.Wrapped = []byte{} // nothing opens it any more
		return insertRow(ctx, s, k)
	}
	if err := lostKey(ctx, s, v); err != nil {
		return err
	}
	active, err := s.Store.Active(ctx)
	if err == nil && active.Version == v && k.State == store.Retired { // what writers use is never called retired
		k.State = store.Live
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return insertKEK(ctx, s, k)
}

// checkLost demands the key of each version whose row is to be made again, before people approve.
func checkLost(ctx context.Context, s *Site, f Facts) error {
	for what := range strings.FieldsSeq(f[transcript.FactRebuild]) {
		v, err := kek.ParseVersion(what)
		if err != nil {
			continue // the lock, or the pointer
		}
		if err := lostKey(ctx, s, v); err != nil {
			return err
		}
	}
	return nil
}

// lostKey demands the key of a version whose row is to be made again. Of one that was made outside a
// ceremony it demands what the adoption did, since nothing else tells it from another of its name. Of one whose
// destruction was begun it demands nothing: its row says so again.
func lostKey(ctx context.Context, s *Site, v kek.Version) error {
	versions := s.History.Versions()
	if versions.Made[v].State.Doomed() {
		return nil
	}
	if !versions.Outside[v] {
		state, _, err := keyState(ctx, s, v)
		if err == nil && state != Done {
			err = ErrLostKey
		}
		if err != nil {
			err = fmt.Errorf("version %d: %w", v, err)
		}
		return err
	}
	key, err := keyThere(ctx, s, v)
	if made := versions.Made[v]; err == nil && key != made.ID+" "+made.Label {
		err = fmt.Errorf("version %d: %w", v, ErrLostKey)
	}
	return err
}
