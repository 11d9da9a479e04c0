package steps

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// canary wraps a random value with the new key and enters the version in the
// store; install also makes it the active one.
func canary(first bool) Step {
	return Step{
		Name: transcript.ActCanary, Title: "Canary", Holds: true,
		Why: "A canary is a test value wrapped by the new key. A process that unwraps it holds this key.",
		Act: &Act{
			Fresh: true,
			Plan: func(_ *Site, f Facts) []Effect {
				object := "version " + f[transcript.FactTo] + " recorded in the store as " + enteredAs(first)
				return []Effect{{Verb: "canary", Object: object, Undo: "none needed: nothing uses it yet"}}
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				return canaryState(ctx, s, f.Version(transcript.FactTo), first)
			},
			Do: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
				if err := enter(ctx, s, f.Version(transcript.FactTo), first); err != nil {
					return nil, err
				}
				says := "version " + f[transcript.FactTo] + ", " + enteredAs(first)
				d.Show(func(v *View) { v.Details = []Detail{{Name: "in the store", Value: says}} })
				return nil, nil
			},
		},
	}
}

// enteredAs is what the store says of a new version.
func enteredAs(first bool) string {
	if first {
		return "live and active"
	}
	return "live"
}

func canaryState(ctx context.Context, s *Site, v kek.Version, first bool) (State, Facts, error) {
	k, err := findKEK(ctx, s, v)
	if errors.Is(err, store.ErrNotFound) {
		return NotBegun, nil, nil
	}
	if err != nil {
		return NotBegun, nil, err
	}
	n := s.Name(v)
	if k.Label != n.Label || k.ID != n.HexID() || k.Provider != s.Kind.Name() {
		return NotBegun, nil, fmt.Errorf("version %d names another key, %s: %w", v, printable.Text(k.Label),
			engine.ErrPlanted)
	}
	if err := sameBound(s, k); err != nil {
		return NotBegun, nil, err
	}
	value, err := fleet.OpenCanary(ctx, s.Provider, n, k.Canary)
	if err != nil {
		return NotBegun, nil, otherCanary(err)
	}
	value.Wipe()
	facts := Facts{transcript.FactCanary(v): k.Canary.SHA256}
	if !first {
		return Done, facts, nil
	}
	_, err = s.Store.Active(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return Partly, nil, nil
	}
	return Done, facts, err
}

func findKEK(ctx context.Context, s *Site, v kek.Version) (store.KEK, error) {
	keks, err := s.Store.KEKs(ctx)
	if err != nil {
		return store.KEK{}, err
	}
	for _, k := range keks {
		if k.Version == v {
			return k, nil
		}
	}
	return store.KEK{}, fmt.Errorf("version %d: %w", v, store.ErrNotFound)
}

func enter(ctx context.Context, s *Site, v kek.Version, first bool) error {
	_, err := findKEK(ctx, s, v)
	if errors.Is(err, store.ErrNotFound) {
		n := s.Name(v)
		err = insertKEK(ctx, s, store.KEK{Version: v, Provider: s.Kind.Name(), State: store.Live, Label: n.Label,
			ID: n.HexID(), Ceremony: s.Seq, Bound: n.Bound})
	}
	if err != nil || !first {
		return err
	}
	return s.Store.MoveActive(ctx, store.Active{}, store.Active{Version: v, Epoch: 1})
}

// insertKEK enters a version with a canary of its key. The canary's wrap is counted, and never refused.
func insertKEK(ctx context.Context, s *Site, k store.KEK) error {
	_, err := s.Store.ReserveWraps(ctx, k.Version, 1)
	if err != nil {
		return err
	}
	if k.Canary, err = fleet.MakeCanary(ctx, s.Provider, s.Name(k.Version)); err != nil {
		return err
	}
	return insertRow(ctx, s, k)
}

func insertRow(ctx context.Context, s *Site, k store.KEK) error {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	k.Created = now.Truncate(time.Second)
	return s.Store.InsertKEK(ctx, k)
}

// otherCanary is the error of a canary that does not open, unless nothing could.
func otherCanary(err error) error {
	if provider.Lost(err) || errors.Is(err, provider.ErrBusy) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCanary, err)
}
