package fleet

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/provider"
)

// reach opens the provider again if it was lost, once in a heartbeat at most.
func (m *Member) reach(ctx context.Context) error {
	if err := take(ctx, m.using); err != nil {
		return err
	}
	defer func() { <-m.using }()
	if m.Provider != nil {
		return nil
	}
	now := sinceBoot()
	if m.opened > 0 && now-m.opened < m.Every/2 {
		return provider.ErrGone
	}
	m.opened = now
	p, err := m.Open(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", provider.ErrGone, err)
	}
	m.Provider = p
	return nil
}

// with uses the provider, alone. One that is lost is closed, and opened again by the next look,
// which Run begins at once.
func (m *Member) with(ctx context.Context, use func(provider.Provider) error) error {
	if err := take(ctx, m.using); err != nil {
		return err
	}
	defer func() { <-m.using }()
	if m.Provider == nil {
		return provider.ErrGone
	}
	err := use(m.Provider)
	if provider.Lost(err) {
		_ = m.Provider.Close() // its end is no news
		m.Provider = nil
		select {
		case m.kick <- struct{}{}:
		default:
		}
	}
	return err
}
