package steps

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// pin opens the provider and logs in. Only here does a token get touched first.
func pin() Step {
	return Step{
		Name: "pin", Title: "Open the provider", Who: "the program; a PIN's custodian types it", EveryRun: true, Reach: true,
		Why: "If the provider has a PIN, its custodian types it: it goes straight from the keyboard to the token, is " +
			"wiped, and is in no log.",
		Look: func(ctx context.Context, s *Site, _ Facts, d Desk) (Facts, error) {
			if s.Provider == nil {
				p, err := s.OpenProvider(ctx, func(about map[string]string) error { return knows(s, about) })
				if err != nil {
					return nil, err
				}
				s.Provider = p
			}
			about, err := s.Provider.Describe(ctx)
			if err == nil {
				err = knows(s, about)
			}
			if err != nil {
				return nil, err
			}
			if err := logIn(ctx, s, d); err != nil {
				return nil, err
			}
			about, err = s.Provider.Describe(ctx)
			if err == nil {
				about["swap"] = secret.Swap()
			}
			return about, err
		},
	}
}

// knows compares the module with that of this run and of the last ceremony before it
// runs, and the token before anybody types a PIN into it. What is not reported is not
// known yet.
func knows(s *Site, about map[string]string) error {
	if err := sameAgain(s, about); err != nil {
		return err
	}
	return comparePins(s, about)
}

func logIn(ctx context.Context, s *Site, d Desk) error {
	return login.Login{
		PIN: s.PIN, Dir: s.Bundles, Lend: d.Lend,
		Report: func(what string) { d.Show(func(v *View) { v.Waiting = what }) },
		Final: func(t provider.Tries) error {
			return d.Approve(ctx, "approve-pin", Effect{
				Verb:   "log in",
				Object: fmt.Sprintf("token %s, serial %s: its final try", t.Token, t.Serial),
				Undo:   "none: " + t.Warning,
			})
		},
	}.Into(ctx, s.Provider)
}
