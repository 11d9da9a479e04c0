package steps

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
	"github.com/certautopilot/kekceremony/internal/term"
)

// pin opens the provider and logs in. Only here does a token get touched first.
func pin() Step {
	return Step{
		Name: "pin", Title: "PIN", Who: "whoever has the PIN types it", Anew: true, Reach: true,
		Why: "The PIN goes from the keyboard to the token and is wiped. It is in no log.",
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

// knows compares the module with that of this run and of the last ceremony before it
// runs, and the token before anybody types a PIN into it. What is not told is not
// known yet.
func knows(s *Site, about map[string]string) error {
	if err := sameAgain(s, about); err != nil {
		return err
	}
	return comparePins(s, about)
}

func login(ctx context.Context, s *Site, d Desk) error {
	return Entry{
		PIN: s.PIN, Dir: s.Bundles, Lend: d.Lend,
		Say: func(what string) { d.Show(func(v *View) { v.Waiting = what }) },
		Final: func(t provider.Tries) error {
			return d.Approve(ctx, "approve-pin", Effect{
				Verb:   "log in",
				Object: fmt.Sprintf("token %s, serial %s: its final try", t.Token, t.Serial),
				Undo:   "none: " + t.Warning,
			})
		},
	}.Login(ctx, s.Provider)
}

// Entry is how a PIN is entered, and by whom.
type Entry struct {
	engine.PIN
	// Dir is where attempts are counted; empty: nowhere.
	Dir string
	// Lend lends the terminal for one part of the PIN.
	Lend func(context.Context, func(*term.Terminal) error) error
	// Say tells what people must do elsewhere.
	Say func(string)
	// Final allows what may be a token's last attempt, or refuses it.
	Final func(provider.Tries) error
}

// Login makes one attempt, with the PIN of the file or with what people type, each
// part on a screen of its own.
func (e Entry) Login(ctx context.Context, p provider.Provider) error {
	if e.File != "" {
		return provider.LoginFromFile(ctx, p, e.File, e.Count())
	}
	tries, err := p.Tries(ctx)
	if err != nil || tries.In {
		return err
	}
	count := e.Count()(tries)
	failed, last, err := count.Failed()
	if err != nil {
		return fmt.Errorf("log in to token %s: %w", printable.Quote(tries.Token), err)
	}
	if last && !tries.Final {
		tries.Final = true
		tries.Warning = fmt.Sprintf("%d attempts failed; a token may allow no more than %d", failed, e.Tries)
	}
	if tries.Final {
		if err := e.Final(tries); err != nil {
			return err
		}
	}
	for part := 1; tries.Ask && part <= max(1, e.Parts); part++ {
		text := prompt(tries, e.PIN, part)
		err := e.Lend(ctx, func(t *term.Terminal) error { return p.Enter(ctx, term.Prompt{Terminal: t, Text: text}) })
		if err != nil {
			return err
		}
	}
	if !tries.Ask {
		e.Say("the PIN is entered at the keypad of token " + tries.Token)
	}
	return count.Attempt(ctx, p, tries, tries.Final)
}

// Count counts attempts in the directory.
func (e Entry) Count() func(provider.Tries) provider.Attempts {
	return func(t provider.Tries) provider.Attempts { return provider.AttemptsOf(e.Dir, t, e.Tries) }
}

// prompt asks for the PIN, or a part of it, under what the token reports.
func prompt(t provider.Tries, how engine.PIN, part int) string {
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
