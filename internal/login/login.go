// Package login gets past the PIN of a provider that has one: with the PIN of a file, or
// with what people type. It alone counts the attempts that failed, and marks a file whose
// PIN was refused; the PIN itself goes from where it is read to the provider.
package login

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/term"
)

// PIN is how people log in, as it is configured.
type PIN struct {
	File  string // for an unattended run
	Hint  string // a rehearsal's throwaway PIN, shown to the person who types it
	Parts int    // custodians who each type a part, one after the other
	Tries int    // that a token allows which does not report them; the last needs an approval
}

// Login is one way past a PIN: who enters it, and where failed attempts are counted.
type Login struct {
	PIN
	Dir    string                                                  // attempts are counted in it; empty: nowhere
	Lend   func(context.Context, func(*term.Terminal) error) error // the terminal, for one part of the PIN
	Report func(string)                                            // what people must do elsewhere
	// Final allows what may be a token's last attempt, or refuses it.
	Final func(provider.Tries) error
}

// Into makes one attempt, with the PIN of the file or with what people type, each part on
// a screen of its own. A provider without a PIN needs none.
func (l Login) Into(ctx context.Context, p provider.Provider) error {
	in, ok := p.(provider.PINLogin)
	if !ok {
		return nil
	}
	if l.File != "" {
		return l.fromFile(ctx, in)
	}
	tries, err := in.Tries(ctx)
	if err != nil || tries.In {
		return err
	}
	count := attemptsOf(l.Dir, tries, l.PIN.Tries)
	failed, last, err := count.failed()
	if err != nil {
		return fmt.Errorf("log in to token %s: %w", printable.Quote(tries.Token), err)
	}
	if failed > 0 && !tries.Final {
		tries.Final = last
		tries.Warning = fmt.Sprintf("attempts failed: %d; a token may allow no more than %d", failed, l.PIN.Tries)
	}
	if tries.Final {
		if err := l.Final(tries); err != nil {
			return err
		}
	}
	for part := 1; tries.Ask && part <= max(1, l.Parts); part++ {
		text := prompt(tries, l.PIN, part)
		err := l.Lend(ctx, func(t *term.Terminal) error { return in.Enter(ctx, term.Prompt{Terminal: t, Text: text}) })
		if err != nil {
			return err
		}
	}
	if !tries.Ask {
		l.Report("enter the PIN at the keypad of token " + tries.Token)
	}
	if err = count.attempt(ctx, in, tries, tries.Final); err == nil {
		err = count.join(ctx, in)
	}
	return count.told(err)
}

// prompt asks for the PIN, or a part of it, under what the token reports.
func prompt(t provider.Tries, how PIN, part int) string {
	text := "PIN"
	if how.Parts > 1 {
		text = fmt.Sprintf("Part %d of %d of the PIN", part, how.Parts)
	}
	text += " of token " + t.Token
	if t.Serial != "" {
		text += ", serial " + t.Serial
	}
	if how.Hint != "" {
		text += " (rehearsal: " + printable.Text(how.Hint) + ")"
	}
	text = "Ctrl+c cancels.\r\n" + text
	if t.Warning != "" {
		text = "Beware: " + t.Warning + ".\r\n" + text
	}
	return "\r\n" + text + ": "
}
