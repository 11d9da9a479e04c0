package steps

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// lock writes what never changes.
func lock() Step {
	return Step{
		Name: transcript.ActLock, Title: "Lock", Holds: true,
		Why: "The store is locked to this provider, chain and roster. A lock is permanent.",
		Act: &Act{
			Plan: func(s *Site, f Facts) []Effect {
				return []Effect{{
					Verb:   "lock",
					Object: fmt.Sprintf("the store to provider %s, chain %.8s", s.Kind.Name(), s.Chain),
					Undo:   "none: a lock is permanent",
					// The plan binds them; here people see them.
					Estimate: reachedToken(s),
				}}
			},
			State: func(ctx context.Context, s *Site, _ Facts) (State, Facts, error) {
				have, err := s.Store.Lock(ctx)
				if errors.Is(err, store.ErrNotFound) {
					return NotBegun, nil, nil
				}
				if err == nil && have != newLock(s) {
					err = ErrInstalled
				}
				return Done, Facts{transcript.FactLocked: s.Kind.Name()}, err
			},
			Do: func(ctx context.Context, s *Site, _ Facts, d Desk) (Facts, error) {
				if err := onlyLock(ctx, s); err != nil {
					return nil, err
				}
				if err := s.Store.InsertLock(ctx, newLock(s)); err != nil {
					return nil, err
				}
				d.Show(func(v *View) { v.Details = lockedDetails(s) })
				return nil, nil
			},
		},
	}
}

// reachedToken is the token that the store is locked to, as the probe of this run saw it; empty: there is none.
func reachedToken(s *Site) string {
	if s.Reached["serial"] == "" {
		return ""
	}
	return printable.Line(fmt.Sprintf("with token %s, serial %s", s.Reached["token"], s.Reached["serial"]))
}

// lockedDetails say on the page what the lock names beside the provider, and which token was there.
func lockedDetails(s *Site) []Detail {
	all := []Detail{{Name: "chain", Value: string(s.Chain)}}
	if serial := s.Reached["serial"]; serial != "" {
		all = append(all, Detail{Name: "token", Value: printable.Line(s.Reached["token"] + ", serial " + serial)})
	}
	return append(all, Detail{Name: "roster_sha256", Value: s.Roster.Digest()})
}

func newLock(s *Site) store.Lock {
	return store.Lock{Provider: s.Kind.Name(), Chain: s.Chain, Ceremony: s.Seq, Roster: s.Roster.Digest()}
}
