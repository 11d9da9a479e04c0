package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// ErrDisabled: the version was disabled, or worse. Envelopes of it are refused, and each refusal is in the store
// before the error is returned: a destruction is refused after one.
var ErrDisabled = errors.New("the version is disabled")

// recordWithin bounds the write of a refusal. It does not end with the caller's context: nobody asks again.
const recordWithin = 15 * time.Second

// notHeld is the error of a version that this process may not read, or has no key of. A refusal that the store does not
// take is one all the same.
func (m *Member) notHeld(ctx context.Context, v kek.Version, cause error) error {
	err := fmt.Errorf("version %d: %w", v, ErrNotHeld)
	now := m.view.Load()
	switch {
	case now != nil && now.Barred[v]:
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
		defer cancel()
		err = fmt.Errorf("version %d: %w: %w", v, ErrDisabled, ErrNotHeld)
		if failed := m.Store.Refuse(ctx, m.beat.Process, m.Role, v, now.Active.Epoch); failed != nil {
			err = fmt.Errorf("%w; nobody will know: %w", err, failed)
		}
	case cause != nil:
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return m.Refuse(err)
}

// Refuse counts an envelope that could not be opened, and returns why: the next heartbeat says so.
func (m *Member) Refuse(err error) error {
	m.refused.Add(1)
	return err
}

// Refusals counts them since the process began.
func (m *Member) Refusals() int { return int(m.refused.Load()) }
