package steps

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// adopt enters the versions that were found, each with a canary of its key, and the pointer as the
// application has it.
func adopt() Step {
	return Step{
		Name: transcript.ActAdopt, Title: "Adopt the versions",
		Why: "Each version gets a canary: a test value wrapped by its key. Envelopes stay as they are.",
		Act: &Act{
			Fresh: true,
			Plan: func(s *Site, f Facts) (effects []Effect) {
				const undo = "none needed: nothing of the application's is changed"
				for _, v := range found(f) {
					effects = append(effects, Effect{Verb: "adopt", Undo: undo,
						Object: fmt.Sprintf("version %d, made outside a ceremony: key %s, with a canary", v, f[factFoundKey(v)])})
				}
				return append(effects, Effect{Verb: "record", Undo: undo,
					Object: "version " + f[transcript.FactActive] + " as active"})
			},
			State: adoptState,
			Do: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
				if s.Pointer != nil { // people approved what it named at the survey
					if err := namesOneOf(ctx, s, *s.Pointer, f.Version(transcript.FactActive)); err != nil {
						return nil, err
					}
				}
				for _, v := range found(f) {
					if err := enterAdopted(ctx, s, v, f); err != nil {
						return nil, err
					}
				}
				_, err := s.Store.Active(ctx)
				if errors.Is(err, store.ErrNotFound) {
					active := store.Active{Version: f.Version(transcript.FactActive), Epoch: 1}
					err = s.Store.MoveActive(ctx, store.Active{}, active)
				}
				return nil, err
			},
		},
	}
}

func enterAdopted(ctx context.Context, s *Site, v kek.Version, f Facts) error {
	_, err := findKEK(ctx, s, v)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	id, label := idAndLabel(f[factFoundKey(v)])
	return insertKEK(ctx, s, store.KEK{Version: v, Provider: s.Kind.Name(), State: store.Live, Label: label, ID: id,
		Ceremony: s.Seq})
}

// adoptState opens the canary of every version that was found.
func adoptState(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
	facts, entered := Facts{}, 0
	for _, v := range found(f) {
		k, err := findKEK(ctx, s, v)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return NotBegun, nil, err
		}
		if id, label := idAndLabel(f[factFoundKey(v)]); k.ID != id || k.Label != label || k.Provider != s.Kind.Name() {
			return NotBegun, nil, fmt.Errorf("version %d names another key: %w", v, engine.ErrPlanted)
		}
		value, err := fleet.OpenCanary(ctx, s.Provider, s.Name(v), k.Canary)
		if err != nil {
			return NotBegun, nil, otherCanary(err)
		}
		value.Wipe()
		entered++
		facts[transcript.FactCanary(v)] = k.Canary.SHA256
		facts[transcript.FactAdopted(v)] = f[factFoundKey(v)]
	}
	active, err := s.Store.Active(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return NotBegun, nil, err
	}
	switch {
	case entered == 0:
		return NotBegun, nil, nil
	case err != nil || entered < len(found(f)):
		return Partly, nil, nil
	case active.Version != f.Version(transcript.FactActive):
		return NotBegun, nil, fmt.Errorf("version %d is active, approved %s: %w", active.Version, f[transcript.FactActive],
			engine.ErrPlanted)
	}
	facts[transcript.FactActive] = active.Version.String()
	return Done, facts, nil
}
