package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

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
					effects = append(effects, Effect{Verb: "exclude", Object: name + ", if no key opens it",
						Undo: "rotate again"})
				}
				return effects
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				due, err := countDue(ctx, s, f.Version(transcript.FactTo), f.Excluded())
				// What is excluded must have been tried in this ceremony.
				tried := len(f.Excluded()) == 0 || f[transcript.FactExcluded] != ""
				if err != nil || due > 0 || !tried {
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
	w.rule.Silence = new(fleet.Silence)
	next := ahead{look: w.look}
	defer next.end()
	// What is garbage is collected sooner: pages are most of the memory, and live for a moment.
	defer debug.SetGCPercent(debug.SetGCPercent(75))
	late := lateOnes(s, f)
	began := time.Now()
	counts, err := rewrap.Run(ctx, rewrap.Job{
		Store: s.Store, Provider: s.Provider, Chain: s.Chain, To: to, Catalogue: s.Catalogue, Control: s.Control,
		Excluded:   f.Excluded(),
		Before:     rewrappedBy(d.Log).before,
		Name:       s.Name,
		First:      bindsFirst(s, to),
		Checkpoint: rewrap.OpenCheckpoint(checkpointOf(s), to),
		Reserve:    func(ctx context.Context, n int) error { return reserve(ctx, s, to, n) },
		// The gate is a condition, not a moment (design section 3).
		Gate: func(ctx context.Context) (string, error) {
			if err := controlled(ctx, s.Control, d); err != nil {
				return "", err
			}
			t, err := next.fleet(ctx)
			if err != nil {
				return "", err
			}
			return w.waits(ctx, d, t, t.Behind())
		},
		Canary: func(ctx context.Context, v kek.Version) error { return checkCanary(ctx, s, v) },
		Expose: late.expose(),
		Report: func(p rewrap.Progress) { d.Show(func(v *View) { v.Progress = &p }) },
	})
	facts := Facts{
		"scanned":               strconv.Itoa(counts.Scanned),
		transcript.FactRewraps:  strconv.Itoa(counts.Rewrapped),
		"current":               strconv.Itoa(counts.Current),
		"conflicts":             strconv.Itoa(counts.Conflicts),
		"poison":                strconv.Itoa(counts.Undecryptable),
		transcript.FactExcluded: strconv.Itoa(counts.Excluded),
		"skipped":               strconv.Itoa(counts.Skipped),
		"passes":                strconv.Itoa(counts.Passes),
		"workers":               provider.Workers(s.Provider),
		"took":                  time.Since(began).Round(10 * time.Millisecond).String(),
	}
	if err != nil { // what was written until then is in the store
		return nil, errors.Join(err, d.Note(ctx, facts))
	}
	maps.Copy(facts, late.facts())
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
