package keeper

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// Join implements provider.Joined: it starts the others, one after the other, since modules share files.
// That one cannot be started is no error, it is slower without; that one has another token is.
func (m *many) Join(ctx context.Context) error {
	defer m.forget()
	if m.keypad || len(m.sockets) == 0 {
		return nil
	}
	about, err := m.Describe(ctx)
	if err != nil {
		return err
	}
	for i, socket := range m.sockets {
		if err = m.join(ctx, i, socket, about); err != nil {
			break
		}
	}
	switch n := 1 + len(m.more); {
	case err != nil:
		m.have(n, err.Error())
	case m.fixed:
		m.have(n, "as configured")
	default:
		m.have(n, "to be tried")
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, serious := range []error{provider.ErrSplit, provider.ErrPINRefused, provider.ErrPINLocked} {
		if errors.Is(err, serious) {
			return fmt.Errorf("log in another process: %w", err)
		}
	}
	return nil
}

// forget has the first keeper wipe the PIN.
func (m *many) forget() {
	closeAll(m.sockets)
	m.sockets = nil
	_, _ = m.ask(context.Background(), "Forget", Request{}, m.deadline) // a keeper that is gone has none
}

// join starts one more process. It gets the PIN when it is ready to log in.
func (m *many) join(ctx context.Context, i int, socket *os.File, about map[string]string) error {
	p, pin, err := m.child.open(ctx, nil, []*os.File{socket})
	socket.Close() // so that nobody but the two keepers has an end
	if err != nil {
		return err
	}
	another := withPIN{p}
	if err = same(ctx, another, about); err == nil && !pin {
		err = errNoPIN
	}
	if err == nil {
		err = m.logIn(ctx, i, another)
	}
	if err != nil {
		return errors.Join(err, p.Close())
	}
	m.more = append(m.more, another)
	return nil
}

// logIn logs in another process with the PIN that the token took from the first.
func (m *many) logIn(ctx context.Context, i int, another withPIN) error {
	tries, err := another.Tries(ctx)
	if err != nil || tries.In {
		return err
	}
	if _, err := m.ask(ctx, "Give", Request{Other: i}, m.deadline); err != nil {
		return err
	}
	if _, err := another.ask(ctx, "Enter", Request{Given: true}, another.deadline); err != nil {
		return err
	}
	return another.Login(ctx, false)
}

// same demands that a process describes what it has as the first does.
func same(ctx context.Context, p withPIN, about map[string]string) error {
	got, err := p.Describe(ctx)
	if err == nil && !maps.Equal(got, about) {
		err = fmt.Errorf("another process describes itself otherwise: %w", provider.ErrSplit)
	}
	return err
}

// prove demands that each process has the very key of the target that the first has: nothing that they unwrap
// shows that. Before, each is probed, if it was not with the first.
func (m *many) prove(ctx context.Context, to kek.Name) error {
	if m.proven[to.Version] {
		return nil
	}
	known, ok := m.canary[to.Version]
	if !ok {
		m.drop(errors.New("the target's canary was not opened"))
		return nil
	}
	if !m.probed {
		if err := m.probe(ctx); err != nil || len(m.more) == 0 {
			return err
		}
	}
	value, err := secret.New(kek.Size)
	if err != nil {
		return err
	}
	defer value.Wipe()
	for _, p := range m.more {
		value.SetLen(kek.Size)
		err := p.Unwrap(ctx, known.by, known.wrapped, value.Bytes())
		if err == nil && sha256.Sum256(value.Bytes()) != known.value {
			err = errors.New("it opens to another value")
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			err = fmt.Errorf("open the canary of %s in another process: %w: %w", to.Label, provider.ErrSplit, err)
			m.drop(err)
			return err
		}
	}
	if m.proven == nil {
		m.proven = map[kek.Version]bool{}
	}
	m.proven[to.Version] = true
	return nil
}

// Probe implements provider.Provider. The other processes are probed when the first was, so that a re-wrap does
// not wait for it. What is reported is the first one's.
func (m *many) Probe(ctx context.Context, report func(provider.Verdict)) error {
	if err := m.withPIN.Probe(ctx, report); err != nil {
		return err
	}
	return m.probe(ctx)
}

// probe probes each further process: a module may keep the rules in one only. One that fails is ended, and no
// error; one that has another token is.
func (m *many) probe(ctx context.Context) error {
	if len(m.more) == 0 {
		return nil
	}
	about, err := m.Describe(ctx)
	for _, p := range m.more {
		if err == nil {
			err = p.Probe(ctx, func(provider.Verdict) {})
		}
		if err == nil {
			err = same(ctx, p, about)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if m.probed = err == nil; err != nil {
		m.drop(err)
	}
	if errors.Is(err, provider.ErrSplit) {
		return err
	}
	return nil
}
