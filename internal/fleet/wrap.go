package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// Errors of a member that wraps and unwraps.
var (
	ErrLease    = errors.New("the store did not say for too long which version is active")
	ErrNotHeld  = errors.New("this process does not hold the version")
	ErrNoActive = errors.New("no version is active")
)

// sinceBoot is a clock that nobody sets, and that goes on while the host is suspended
// (clock_gettime(2), CLOCK_BOOTTIME).
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0 // every Linux has it since 2.6.39; a lease that ends at once is safe
	}
	return time.Duration(t.Nano())
}

// View is what the last good look saw; nil: there was none.
func (m *Member) View() *View { return m.view.Load() }

// current is a view that is no older than Live: the last one, or that of a look made now. It
// returns ErrLease, with the cause, where the store does not answer.
func (m *Member) current(ctx context.Context) (*View, error) {
	if v := m.view.Load(); v.fresh(m.Live) {
		return v, nil
	}
	m.looking.Lock()
	defer m.looking.Unlock()
	if v := m.view.Load(); v.fresh(m.Live) { // another goroutine looked
		return v, nil
	}
	err := m.look(ctx)
	if v := m.view.Load(); v.fresh(m.Live) { // whatever became of the provider
		return v, nil
	}
	if err == nil {
		return nil, ErrLease
	}
	return nil, fmt.Errorf("%w: %w", ErrLease, err)
}

func (v *View) fresh(live time.Duration) bool { return v != nil && v.Age() <= live }

// Age is how long ago it was seen, with the time that the host was suspended.
func (v *View) Age() time.Duration { return sinceBoot() - v.At }

// Wrap has a DEK wrapped with the active version, which it returns. A process that slept
// meanwhile looks again, and wraps again: what it returns was wrapped under a view no older
// than Live at the end.
func (m *Member) Wrap(ctx context.Context, dek []byte) (wrapped []byte, v kek.Version, err error) {
	for {
		if _, err := m.current(ctx); err != nil {
			return nil, 0, err
		}
		wrapped, v, slept, err := m.wrapOnce(ctx, dek)
		if err != nil || !slept {
			return wrapped, v, err
		}
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
	}
}

func (m *Member) wrapOnce(ctx context.Context, dek []byte) (wrapped []byte, v kek.Version, slept bool, err error) {
	m.wraps.RLock()
	defer m.wraps.RUnlock()
	now := m.view.Load()
	v = now.Active.Version
	switch {
	case v == 0:
		return nil, 0, false, ErrNoActive
	case !now.Readable[v]:
		return nil, v, false, fmt.Errorf("version %d is active: %w", v, ErrNotHeld)
	}
	err = m.with(func(p provider.Provider) (err error) {
		wrapped, err = p.Wrap(ctx, kek.NameOf(m.Chain, v), dek)
		return err
	})
	return wrapped, v, !now.fresh(m.Live), err
}

// lookAgain is how long after a look a version that it did not find is looked for again.
const lookAgain = time.Second

// Unwrap unwraps into into, of 32 bytes, which the caller wipes.
func (m *Member) Unwrap(ctx context.Context, v kek.Version, wrapped, into []byte) error {
	if err := m.Holds(ctx, v); err != nil {
		m.Refuse()
		return err
	}
	err := m.with(func(p provider.Provider) error { return p.Unwrap(ctx, kek.NameOf(m.Chain, v), wrapped, into) })
	if err != nil && !passing(err) {
		m.Refuse()
	}
	return err
}

// Holds returns ErrNotHeld for a version that this process has no key of, or that may not be
// read. It looks again first, since the version may be new.
func (m *Member) Holds(ctx context.Context, v kek.Version) error {
	if m.holds(v) {
		return nil
	}
	if last := m.view.Load(); !last.fresh(lookAgain) {
		if err := m.Look(ctx); err != nil && !m.holds(v) {
			return fmt.Errorf("version %d: %w: %w", v, ErrNotHeld, err)
		}
	}
	if m.holds(v) {
		return nil
	}
	return fmt.Errorf("version %d: %w", v, ErrNotHeld)
}

// Refuse counts an envelope that could not be opened: the next heartbeat says so.
func (m *Member) Refuse() { m.refused.Add(1) }

// Refusals counts them since the process began.
func (m *Member) Refusals() int { return int(m.refused.Load()) }
