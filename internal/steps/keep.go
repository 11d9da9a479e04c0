package steps

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// keeping are the steps by which an abort ends a destruction that was begun.
func keeping() []Step { return []Step{pin(), probe(false), keepKey()} }

// keepKey leaves a key as it is whose destruction was begun, while it is whole: something that needs the version may
// have come since. M approve it. The version is disabled again, and may be enabled.
func keepKey() Step {
	return Step{
		Name: transcript.StepKeep, Title: "Keep the key", EveryRun: true,
		Why: "The destruction was begun. The key is kept only where that was, if it is found and its canary opens with it.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			v := f.Version(transcript.FactVersion)
			found, err := foundWhole(ctx, s, v)
			if err == nil {
				err = noneElsewhere(ctx, s, f)
			}
			if err != nil {
				return nil, err
			}
			d.Show(func(view *View) {
				view.Details = []Detail{{Name: "key", Value: s.Name(v).Label}, {Name: "found", Value: found}}
			})
			if err := d.Approve(ctx, transcript.StepApproveKeep, keepEffect(s, f, found)); err != nil {
				return nil, err
			}
			if found, err = foundWhole(ctx, s, v); err != nil { // signing takes time
				return nil, err
			}
			if err := disabledAgain(ctx, s, f); err != nil {
				return nil, err
			}
			return Facts{}, d.Note(ctx, Facts{transcript.FactKept: printable.Text("found whole: " + found)})
		},
	}
}

func keepEffect(s *Site, f Facts, found string) Effect {
	n, to := s.Name(f.Version(transcript.FactVersion)), ", which is disabled again"
	if f[transcript.FactCloses] == "yes" {
		to = ", of which another copy was destroyed before"
	}
	return Effect{Verb: "keep", Undo: "destroy it", Object: fmt.Sprintf(
		"version %d%s, key %s, id %s: %s, its canary opens; no other console runs this ceremony", n.Version, to, n.Label,
		n.HexID(), found)}
}

// foundWhole says where the very key of a version was found: it opens the version's canary. It returns ErrNoAbort for
// one that is gone.
func foundWhole(ctx context.Context, s *Site, v kek.Version) (string, error) {
	all, err := s.Provider.Search(ctx, s.Name(v))
	if err == nil && !provider.Left(all) {
		err = fmt.Errorf("version %d: no key is found: %s: %w", v, provider.Evidence(all), engine.ErrNoAbort)
	}
	if err != nil {
		return "", err
	}
	return provider.Evidence(all), whole(ctx, s, v)
}

// stillWhole demands of a key that was kept that it is whole here.
func stillWhole(ctx context.Context, s *Site, f Facts) error {
	_, err := foundWhole(ctx, s, f.Version(transcript.FactVersion))
	return err
}

// whole demands that the one key of a version's name opens its canary.
func whole(ctx context.Context, s *Site, v kek.Version) error {
	k, err := findKEK(ctx, s, v)
	if err != nil {
		return err
	}
	if _, err := s.Provider.Find(ctx, s.Name(v)); err != nil {
		return err
	}
	value, err := fleet.OpenCanary(ctx, s.Provider, s.Name(v), k.Canary)
	if err != nil {
		return otherCanary(err)
	}
	value.Wipe()
	return nil
}

// disabledAgain moves the version's row back, unless another copy of the key was destroyed before.
func disabledAgain(ctx context.Context, s *Site, f Facts) error {
	v := f.Version(transcript.FactVersion)
	row, err := rowOf(ctx, s, v)
	if err != nil || row == store.Disabled || f[transcript.FactCloses] == "yes" {
		return err
	}
	return s.Store.MoveKEK(ctx, v, store.Destroying, store.Disabled)
}
