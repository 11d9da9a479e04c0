package steps

import (
	"context"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// change is the act: from its done event on the next roster counts.
func change() Step {
	return Step{
		Name: transcript.ActChange, Title: "Change the roster",
		Why: "The next ceremony uses the new roster. This ceremony ends with the old one.",
		Act: &Act{
			Plan: func(s *Site, _ Facts) []Effect { return changes(s.Roster, s.Next) },
			State: func(_ context.Context, s *Site, f Facts) (State, Facts, error) {
				if f[transcript.FactChanged] == "" {
					return NotBegun, nil, nil
				}
				sum := f[transcript.FactChanged]
				return Done, Facts{transcript.FactChanged: sum, transcript.FactNextRoster + "_sha256": sum}, nil
			},
			Do: func(_ context.Context, s *Site, _ Facts, _ Desk) (Facts, error) {
				return Facts{transcript.FactChanged: s.Next.Digest()}, nil
			},
		},
	}
}

// changes lists who comes, who goes and what else is different.
func changes(old, next quorum.Roster) (effects []Effect) {
	undo := "another roster ceremony, approved by the new quorum"
	add := func(verb, format string, args ...any) {
		effects = append(effects, Effect{Verb: verb, Object: fmt.Sprintf(format, args...), Undo: undo})
	}
	for _, m := range next.Joining(old) {
		if _, was := old.Member(m.Name); was {
			add("new key", "%s, %s", m.Name, m.Fingerprint())
		} else {
			add("join", "%s, %s", m.Name, m.Fingerprint())
		}
	}
	for _, m := range old.Members {
		n, stays := next.Member(m.Name)
		switch {
		case !stays:
			add("leave", "%s, %s", m.Name, m.Fingerprint())
		case !slices.Equal(m.Namespaces, n.Namespaces) || !m.After.Equal(n.After) || !m.Before.Equal(n.Before):
			add("rights", "%s: its namespaces or dates changed", m.Name)
		}
	}
	if old.M != next.M {
		add("quorum", "%d of %d, was %d", next.M, len(next.Members), old.M)
	}
	if old.Verified != next.Verified {
		add("rule", "FIDO keys must verify their user: %t, was %t", next.Verified, old.Verified)
	}
	if len(effects) == 0 {
		add("text", "the roster's comments or order")
	}
	return effects
}
