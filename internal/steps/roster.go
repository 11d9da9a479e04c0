package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// ChangeRoster changes who may sign, or how many must: by the old quorum, with a proof of
// each new key.
func ChangeRoster() Ceremony {
	return Ceremony{
		Kind: transcript.KindRoster, Open: openRoster, Steps: rosterSteps, Binds: bind,
		Command: func(Facts) string { return "kekceremony roster" },
		Summary: func(f Facts) []string {
			return []string{"The next ceremony uses the roster " + f[transcript.FactChanged] + "."}
		},
	}
}

func rosterSteps(Facts) []Step {
	return []Step{
		chainRoster(),
		attend(false),
		place(),
		askNextRoster(),
		prove(),
		approve("approve", transcript.ActChange),
		change(),
		leaving(),
	}
}

// openRoster lets the roster of an installed store be changed.
func openRoster(_ context.Context, _ *Site, lock store.Lock) (Facts, error) {
	if lock.Chain == "" {
		return nil, ErrNotInstalled
	}
	return Facts{}, nil
}

// askNextRoster has people name the file of the roster that is to be.
func askNextRoster() Step {
	return Step{
		Name: "next-roster", Ends: transcript.NextRoster, Title: "The next roster",
		Why: "From the next ceremony on, this roster sets who may sign and how many must.",
		Ask: &Form{Fields: []Field{{
			Name: "next_roster", Question: "Path of the next roster",
			Help:    "an allowed_signers file; a new key's line must allow " + quorum.Production.Namespace(quorum.Join),
			Example: "/media/stick/next-roster",
			Check:   readNextRoster,
		}}},
	}
}

func readNextRoster(s *Site, path string) (Facts, error) {
	r, err := readRosterFile(path, s.Mode)
	if err != nil {
		return nil, err
	}
	if r.Digest() == s.Roster.Digest() {
		return nil, errors.New("it is the current roster")
	}
	for _, m := range r.Joining(s.Roster) {
		if space := s.Mode.Namespace(quorum.Join); !m.May(space) {
			return nil, fmt.Errorf("%s: the key is new, and its line does not allow %s", m.Name, space)
		}
	}
	return Facts{transcript.FactNextRoster: string(r.Text), transcript.FactNextRoster + "_sha256": r.Digest()}, nil
}

// prove has everybody whose key is new show that the key is there.
func prove() Step {
	return Step{
		Name: "prove", Title: "Proof of the new keys",
		Why:    "New operators: type your name to sign. Each key in a roster must be one that its owner can use.",
		Gather: &Gather{Purpose: quorum.Join, All: true},
	}
}

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

// changes says who comes, who goes and what else is different.
func changes(old, next quorum.Roster) (effects []Effect) {
	undo := "another roster ceremony, approved by the new quorum"
	say := func(verb, format string, args ...any) {
		effects = append(effects, Effect{Verb: verb, Object: fmt.Sprintf(format, args...), Undo: undo})
	}
	for _, m := range next.Joining(old) {
		if _, was := old.Member(m.Name); was {
			say("new key", "%s, %s", m.Name, m.Fingerprint())
		} else {
			say("join", "%s, %s", m.Name, m.Fingerprint())
		}
	}
	for _, m := range old.Members {
		n, stays := next.Member(m.Name)
		switch {
		case !stays:
			say("leave", "%s, %s", m.Name, m.Fingerprint())
		case !slices.Equal(m.Namespaces, n.Namespaces) || !m.After.Equal(n.After) || !m.Before.Equal(n.Before):
			say("rights", "%s: its namespaces or dates changed", m.Name)
		}
	}
	if old.M != next.M {
		say("quorum", "%d of %d, was %d", next.M, len(next.Members), old.M)
	}
	if old.Verified != next.Verified {
		say("rule", "FIDO keys must verify their user: %t, was %t", next.Verified, old.Verified)
	}
	if len(effects) == 0 {
		say("text", "the roster's comments or order")
	}
	return effects
}
