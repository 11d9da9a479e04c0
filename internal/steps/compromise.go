package steps

import (
	"cmp"
	"context"
	"errors"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// compromise is the act. A process reads the state with every look, and writes only with a live
// version, so that nothing else need be told to it.
func compromise() Step {
	return Step{
		Name: transcript.ActCompromise, Title: "Mark the version as compromised",
		Why: "Applications stop writing with it, and read on. If it is the active version, they write nothing until a " +
			"rotation to another one.",
		Act: &Act{
			Plan: func(_ *Site, f Facts) []Effect {
				v, active := f[transcript.FactVersion], f[transcript.FactActive]
				if stays := f[transcript.FactStays]; stays != "" {
					return []Effect{{Verb: "record", Undo: "none",
						Object: "version " + v + " as compromised: it stays " + stays + ", and if enabled is never written with"}}
				}
				effects := []Effect{{Verb: "compromise", Object: "version " + v + ": still readable, never written again",
					Undo: "none"}}
				if v == active {
					effects = append(effects, Effect{Verb: "stop", Object: "every writer: version " + v + " is active",
						Undo: "rotate to another version"})
				}
				return effects
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				k, err := findKEK(ctx, s, f.Version(transcript.FactVersion))
				if errors.Is(err, store.ErrNotFound) { // the store lost it
					return NotBegun, nil, nil
				}
				want := cmp.Or(store.State(f[transcript.FactStays]), store.Compromised)
				if err != nil || k.State != want {
					return NotBegun, nil, err
				}
				return Done, Facts{"state": string(want)}, nil
			},
			Do: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
				v := f.Version(transcript.FactVersion)
				k, err := findKEK(ctx, s, v)
				if err != nil || k.State == store.Compromised || f[transcript.FactStays] != "" {
					return nil, err
				}
				return nil, s.Store.MoveKEK(ctx, v, k.State, store.Compromised)
			},
		},
	}
}

// stopped waits until no live process writes with the version.
func stopped() Step {
	return Step{
		Name: "stopped", Title: "Wait for the writers", EveryRun: true,
		Why: "Every live process must report that it does not write with the compromised version.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			w := &watch{site: s, rule: ruleOf(s, f.Version(transcript.FactVersion))}
			w.rule.Expect = nil // nobody is missed who does not write
			plain := d          // the table is of who has a version and writes it, as a gate wants it
			plain.Show = func(change func(*View)) { d.Show(func(v *View) { change(v); v.Fleet = nil }) }
			t, err := w.until(ctx, plain, fleet.Table.Writing)
			if err != nil {
				return nil, err
			}
			facts := Facts{}
			return facts, name(s, facts, "not_writing", t.LiveNames())
		},
	}
}
