package steps

import (
	"cmp"
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
	"github.com/certautopilot/kekceremony/internal/term"
)

// PIN is how people log in.
type PIN struct {
	File  string // for a run with nobody in the room
	Hint  string // a rehearsal's throwaway PIN, shown to whoever types it
	Parts int    // custodians who each type a part, one after the other
	Tries int    // that a token allows which does not report them; the last needs an approval
}

// pin opens the provider and logs in. Only here does a token get touched first.
func pin() Step {
	return Step{
		Name: "pin", Title: "PIN", Anew: true, Reach: true,
		Why: "The PIN goes from the keyboard to the token and is wiped. It is in no log.",
		Look: func(ctx context.Context, s *Site, _ Facts, d Desk) (Facts, error) {
			if s.Provider == nil {
				p, err := s.OpenProvider(ctx)
				if err != nil {
					return nil, err
				}
				s.Provider = p
			}
			about, err := s.Provider.Describe(ctx)
			if err == nil {
				err = s.knows(about)
			}
			if err != nil {
				return nil, err
			}
			if err := login(ctx, s, d); err != nil {
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

// knows compares module and token with those of this run and of the last ceremony,
// before anybody types a PIN into them. The IV mode is not known yet.
func (s *Site) knows(about map[string]string) error {
	if err := s.sameAgain(about); err != nil {
		return err
	}
	return comparePins(s, about)
}

func login(ctx context.Context, s *Site, d Desk) error {
	if s.PIN.File != "" {
		return provider.LoginFromFile(ctx, s.Provider, s.PIN.File, s.PIN.Count(s.Bundles))
	}
	say := func(what string) { d.Show(func(v *View) { v.Waiting = what }) }
	return Login(ctx, s.Provider, s.PIN, s.Bundles, say, d.Lend, func(t provider.Tries) error {
		return d.Approve(ctx, "approve-pin", Effect{Verb: "log in", Object: fmt.Sprintf("token %s, serial %s: its final try", t.Token, t.Serial),
			Undo: "none: a wrong PIN locks it"})
	})
}

// Login has people type the PIN, each part on a screen of its own, and makes one
// attempt. Attempts are counted in dir, for tokens that do not report them. What may be
// the last one is allowed by final, or refused. What people must do elsewhere is said.
func Login(ctx context.Context, p provider.Provider, how PIN, dir string, say func(string), lend func(context.Context, func(*term.Terminal) error) error, final func(provider.Tries) error) error {
	tries, err := p.Tries(ctx)
	if err != nil || tries.In {
		return err
	}
	count := how.Count(dir)(tries)
	failed, last, err := count.Failed()
	if err != nil {
		return fmt.Errorf("log in to token %s: %w", printable.Quote(tries.Token), err)
	}
	if last {
		tries.Final, tries.Warning = true, cmp.Or(tries.Warning, fmt.Sprintf("%d attempts failed; a token may allow no more than %d", failed, how.Tries))
	}
	if tries.Final {
		if err := final(tries); err != nil {
			return err
		}
	}
	for part := 1; tries.Ask && part <= max(1, how.Parts); part++ {
		text := prompt(tries, how, part)
		err := lend(ctx, func(t *term.Terminal) error { return p.Enter(ctx, term.Prompt{Terminal: t, Text: text}) })
		if err != nil {
			return err
		}
	}
	if !tries.Ask {
		say("the PIN is entered at the keypad of token " + tries.Token)
	}
	return count.Attempt(ctx, p, tries, tries.Final)
}

// Count counts attempts in a directory.
func (how PIN) Count(dir string) func(provider.Tries) provider.Attempts {
	return func(t provider.Tries) provider.Attempts { return provider.AttemptsOf(dir, t, how.Tries) }
}

// prompt asks for the PIN, or a part of it, under what the token reports.
func prompt(t provider.Tries, how PIN, part int) string {
	text := "PIN"
	if how.Parts > 1 {
		text = fmt.Sprintf("Part %d of %d of the PIN", part, how.Parts)
	}
	text += " of token " + t.Token
	if how.Hint != "" {
		text += " (rehearsal: " + printable.Text(how.Hint) + ")"
	}
	if t.Warning != "" {
		text = "Beware: " + t.Warning + ".\r\n" + text
	}
	return "\r\n" + text + ": "
}
