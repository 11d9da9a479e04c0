package steps

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// scan counts what is to be done and refuses places that the catalogue lacks.
func scan() Step {
	return Step{
		Name: "scan", Title: "Look for envelopes", EveryRun: true,
		Why: "Every field with envelopes must be in the catalogue. Other fields are not re-wrapped.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			if err := noStrangers(ctx, s); err != nil {
				return nil, err
			}
			if err := excludable(ctx, s, f); err != nil {
				return nil, err
			}
			return countPlaces(ctx, s, f.Version(transcript.FactTo))
		},
	}
}

// noStrangers refuses envelopes in places that nobody named.
func noStrangers(ctx context.Context, s *Site) error {
	strangers, err := s.Store.Strangers(ctx, s.Catalogue)
	if err == nil && len(strangers) > 0 {
		err = fmt.Errorf("%s: %w", printable.Text(fmt.Sprint(strangers)), ErrStrangers)
	}
	return err
}

// excludable demands that every envelope that may be left is there and due: a
// name with a mistake in it would be approved for nothing.
func excludable(ctx context.Context, s *Site, f Facts) error {
	names := f.Excluded()
	if len(names) == 0 {
		return nil
	}
	_, met, err := rewrap.Census(ctx, s.Store, s.Catalogue, f.Version(transcript.FactTo), names)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.Contains(met, name) {
			return fmt.Errorf("exclude %s: %w", printable.Quote(name), ErrExclude)
		}
	}
	return nil
}

func countPlaces(ctx context.Context, s *Site, to kek.Version) (Facts, error) {
	counts, err := s.Store.Census(ctx, s.Catalogue)
	if err != nil {
		return nil, err
	}
	due := 0
	var places []string
	for _, c := range counts {
		places = append(places, fmt.Sprintf("%s v%d %d", c.Place, c.Version, c.N))
		if c.Version != to {
			due += c.N
		}
	}
	return Facts{"places": strings.Join(places, "; "), "due": strconv.Itoa(due)}, nil
}

// rewrapAll drains every version but the target.
func rewrapAll() Step {
	return Step{
		Name: transcript.ActRewrap, Title: "Re-wrap every DEK",
		Why: "Inside the provider, each DEK is unwrapped, wrapped with the target version, unwrapped again and compared. " +
			"Only then is it written.",
		Act: &Act{
			Plan: func(s *Site, f Facts) []Effect {
				effects := []Effect{{Verb: "re-wrap", Object: fmt.Sprintf("every DEK of %d fields to version %s",
					len(s.Catalogue), f[transcript.FactTo]),
					Undo: "rotate back", Estimate: f["due"]}}
				for _, name := range f.Excluded() {
					effects = append(effects, Effect{Verb: "leave", Object: name + ", if no key opens it", Undo: "rotate again"})
				}
				return effects
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				left, err := leftovers(ctx, s, f.Version(transcript.FactTo), f.Excluded())
				// What may be left must have been tried in this ceremony.
				tried := len(f.Excluded()) == 0 || f[transcript.FactLeftOut] != ""
				if err != nil || left > 0 || !tried {
					return Partly, nil, err
				}
				return Done, Facts{"left": "0"}, nil
			},
			Do: runRewrap,
		},
	}
}

func runRewrap(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
	to := f.Version(transcript.FactTo)
	w, err := watchFleet(ctx, s, to)
	if err != nil {
		return nil, err
	}
	defer w.close()
	began := time.Now()
	counts, err := rewrap.Run(ctx, rewrap.Job{
		Store: s.Store, Provider: s.Provider, Chain: s.Chain, To: to, Catalogue: s.Catalogue, Control: s.Control,
		Excluded:   f.Excluded(),
		Checkpoint: rewrap.OpenCheckpoint(checkpointOf(s), to),
		// The gate is a condition, not a moment (design section 3).
		Gate: func(ctx context.Context) (string, error) {
			if err := controlled(ctx, s.Control, d); err != nil {
				return "", err
			}
			t, err := w.look(ctx)
			if err != nil {
				return "", err
			}
			d.Show(func(v *View) { v.Fleet = &t })
			return t.Behind(), nil
		},
		Canary: func(ctx context.Context, v kek.Version) error { return checkCanary(ctx, s, v) },
		Report: func(p rewrap.Progress) { d.Show(func(v *View) { v.Progress = &p }) },
	})
	facts := Facts{
		"scanned":              strconv.Itoa(counts.Scanned),
		transcript.FactRewraps: strconv.Itoa(counts.Rewrapped),
		"current":              strconv.Itoa(counts.Current),
		"conflicts":            strconv.Itoa(counts.Conflicts),
		"poison":               strconv.Itoa(counts.Undecryptable),
		transcript.FactLeftOut: strconv.Itoa(counts.Excluded),
		"skipped":              strconv.Itoa(counts.Skipped),
		"passes":               strconv.Itoa(counts.Passes),
		"workers":              provider.Workers(s.Provider),
		"took":                 time.Since(began).Round(100 * time.Millisecond).String(),
	}
	if err != nil { // what was written until then is in the store
		return nil, errors.Join(err, d.Note(ctx, facts))
	}
	return facts, controlled(ctx, s.Control, d)
}

// controlled writes down what people at the console asked for.
func controlled(ctx context.Context, c *rewrap.Control, d Desk) error {
	for _, change := range c.Changes() {
		limit := "none"
		if change.Rate > 0 {
			limit = strconv.Itoa(change.Rate)
		}
		if err := d.Note(ctx, Facts{"control": string(change.Action), "by": change.By, "limit": limit}); err != nil {
			return err
		}
	}
	return nil
}

// checkpointOf is the path of the checkpoint: beside the bundle, of which it is no
// part, and hidden, so that no pattern takes it for one.
func checkpointOf(s *Site) string {
	return filepath.Join(filepath.Dir(s.Bundle), "."+filepath.Base(s.Bundle)+".mark")
}

func checkCanary(ctx context.Context, s *Site, v kek.Version) error {
	k, err := findKEK(ctx, s, v)
	if err != nil {
		return err
	}
	value, err := fleet.OpenCanary(ctx, s.Provider, s.Name(v), k.Canary)
	if err == nil {
		value.Wipe()
	}
	return err
}
