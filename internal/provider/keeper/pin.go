package keeper

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/term"
)

// Tries implements provider.PINLogin.
func (p withPIN) Tries(ctx context.Context) (provider.Tries, error) {
	a, err := p.ask(ctx, "Tries", Request{}, p.deadline)
	for _, text := range []*string{&a.Tries.Token, &a.Tries.Serial, &a.Tries.Warning} {
		*text = printable.Again(*text)
	}
	p.keypad = err == nil && !a.Tries.Ask && !a.Tries.In
	return a.Tries, err
}

// Enter implements provider.PINLogin: the child reads the PIN, from the terminal that
// this process lends it. Whatever state it leaves it in, this process puts it back.
func (p withPIN) Enter(ctx context.Context, from provider.Source) (err error) {
	switch from := from.(type) {
	case provider.File:
		_, err = p.ask(ctx, "Enter", Request{File: string(from)}, p.deadline)
	case term.Prompt:
		_, err = p.ask(ctx, "Enter", Request{Prompt: from.Text}, forever)
		err = errors.Join(err, from.Terminal.Restore())
	default:
		err = fmt.Errorf("enter a PIN: the keeper cannot read a %T", from)
	}
	return err
}

// Login implements provider.PINLogin.
func (p withPIN) Login(ctx context.Context, final bool) error {
	deadline := p.deadline
	if p.keypad {
		deadline = max(deadline, keypadDeadline)
	}
	_, err := p.ask(ctx, "Login", Request{Final: final}, deadline)
	return err
}
