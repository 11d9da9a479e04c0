package steps

import (
	"context"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// compareHistories shows what the store has beside what the bundles have.
func compareHistories() Step {
	return Step{
		Name: "histories", Title: "The store beside its bundles", EveryRun: true,
		Why: "The store went back to an older copy. What it has is the beginning of what the bundles have.",
		Look: func(ctx context.Context, s *Site, _ Facts, d Desk) (Facts, error) {
			m, err := merged(s)
			if err != nil {
				return nil, err
			}
			stored, all, err := m.Ends(ctx, s.Seq)
			if err != nil {
				return nil, err
			}
			lacking, err := m.Lacking(ctx)
			if err != nil {
				return nil, err
			}
			var names printable.List
			for _, l := range lacking {
				names = append(names, l.String())
			}
			stands, _, err := standing(ctx, m)
			if err != nil {
				return nil, err
			}
			facts := Facts{"store_ends": stored, "bundles_end": all, factWasActive: m.Versions.Active.String(),
				factStands: stands, factBundles: m.Digest(s.Seq)}
			d.Show(func(v *View) {
				v.Details = []Detail{{Name: "store ends at", Value: stored}, {Name: "bundles end at", Value: all},
					{Name: "versions", Value: stands}, {Name: "was active", Value: facts[factWasActive]}}
				for _, n := range names {
					v.Details = append(v.Details, Detail{Name: "lacking", Value: n})
				}
			})
			return facts, name(s, facts, factLacking, names)
		},
	}
}

// askCause has people say how the store went back: no transcript shows it.
func askCause() Step {
	return Step{
		Name: "cause", Title: "Why the store went back",
		Why: "An auditor reads why ceremonies were missing in the store.",
		Ask: &Form{Fields: []Field{textField("cause", "Why did the store go back, and to which copy?",
			"what happened, which copy, when", "disk failure, backup of 2026-11-20, ticket 4711")}},
	}
}

// countAll counts the envelopes after the store went back: the count decides what is due.
func countAll() Step {
	return Step{
		Name: "count", Title: "Count the envelopes", EveryRun: true,
		Why: "The store's records went back as well. The count decides whether a rotation is due.",
		Look: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
			if err := noStrangers(ctx, s); err != nil {
				return nil, err
			}
			return countFields(ctx, s, f.Version(transcript.FactActive))
		},
	}
}
