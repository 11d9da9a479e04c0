package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// View is what the last good look saw; nil: there was none.
func (m *Member) View() *View { return m.view.Load() }

// Age is how old the lease is: how long ago the last look began whose heartbeat the store took,
// with the time that the host was suspended.
func (m *Member) Age() time.Duration { return sinceBoot() - time.Duration(m.leased.Load()) }

// leases reports whether the lease is good: the fleet still waits for this process, so the
// pointer has not moved without it.
func (m *Member) leases() bool {
	age := m.Age()
	return m.leased.Load() > 0 && age >= 0 && age <= m.Live
}

// renew looks again where the lease is not good. It returns ErrLease, with the cause, where it is
// not good then.
func (m *Member) renew(ctx context.Context) error {
	if m.leases() {
		return nil
	}
	err := m.lookUnless(ctx, m.leases)
	switch {
	case m.leases(): // whatever became of the provider
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return ErrLease
	}
	return fmt.Errorf("%w: %w", ErrLease, err)
}

// Wrap has a DEK wrapped with the active version, which it returns, for a binding if that version is
// bound. A process that slept meanwhile looks again, and wraps again: the lease is good at the end.
func (m *Member) Wrap(ctx context.Context, dek, binding []byte) (wrapped []byte, v kek.Version, err error) {
	for {
		if err := m.renew(ctx); err != nil {
			return nil, 0, err
		}
		wrapped, v, err := m.wrapOnce(ctx, dek, binding)
		if err != nil || m.leases() {
			return wrapped, v, err
		}
	}
}

func (m *Member) wrapOnce(ctx context.Context, dek, binding []byte) (wrapped []byte, v kek.Version, err error) {
	m.calls.RLock()
	defer m.calls.RUnlock()
	now := m.view.Load()
	v = now.Active.Version
	switch {
	case v == 0:
		return nil, 0, ErrNoActive
	case now.Stopped:
		return nil, v, fmt.Errorf("version %d: %w", v, ErrCompromised)
	case !now.Writes:
		return nil, v, fmt.Errorf("version %d is active: %w", v, ErrNotHeld)
	}
	if err := m.count(ctx, v); err != nil {
		return nil, v, err
	}
	err = m.with(ctx, func(p provider.Provider) (err error) {
		wrapped, err = p.Wrap(ctx, m.name(v).To(binding), dek)
		return err
	})
	return wrapped, v, err
}

// Unwrap unwraps what belongs to a binding into into, of 32 bytes, which the caller wipes. known may
// fill it in without the provider.
func (m *Member) Unwrap(
	ctx context.Context, v kek.Version, wrapped, binding, into []byte, known func() bool,
) error {
	held, err := m.unwrap(ctx, v, wrapped, binding, into, known)
	if !held { // it was dropped since Holds
		return m.notHeld(ctx, v, nil)
	}
	return err
}

// unwrap does it while no view is followed, if the version is held.
func (m *Member) unwrap(
	ctx context.Context, v kek.Version, wrapped, binding, into []byte, known func() bool,
) (held bool, err error) {
	m.calls.RLock()
	defer m.calls.RUnlock()
	if !m.holds(v) || known() {
		return m.holds(v), nil
	}
	err = m.with(ctx, func(p provider.Provider) error {
		return p.Unwrap(ctx, m.name(v).To(binding), wrapped, into)
	})
	if err != nil && !passing(err) && ctx.Err() == nil && !errors.Is(err, kek.ErrBinding) { // the caller's mistake
		return true, m.Refuse(err)
	}
	return true, err
}

// Holds returns ErrNotHeld for a version that this process has no key of, or that may not be
// read; of one that is disabled also ErrDisabled. It looks again first, since the version may be new,
// but not at every call.
func (m *Member) Holds(ctx context.Context, v kek.Version) error {
	enough := func() bool {
		return m.holds(v) || sinceBoot()-time.Duration(m.attempted.Load()) < lookAgain
	}
	if !enough() {
		if err := m.lookUnless(ctx, enough); err != nil && !m.holds(v) {
			return m.notHeld(ctx, v, err)
		}
	}
	if m.holds(v) {
		return nil
	}
	return m.notHeld(ctx, v, nil)
}
