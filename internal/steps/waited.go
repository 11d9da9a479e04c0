package steps

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/history"
)

// Refusals of a destruction because of its time.
var (
	ErrNotDisabled = errors.New("only a disabled version is destroyed")
	ErrWaiting     = errors.New("the waiting period that people signed is not over")
	ErrClocks      = errors.New("the clocks do not agree with each other, or with the last ceremony")
)

// timeForm is how transcripts have a time.
const timeForm = time.RFC3339

// clocksApart is how far the console's clock and the store's may be apart.
const clocksApart = 5 * time.Minute

// waited demands that the waiting period has passed on the store's clock and on the console's, and
// that neither was set.
func waited(ctx context.Context, s *Site, d history.Disabling) error {
	both, err := bothClocks(ctx, s)
	if err != nil {
		return err
	}
	for _, clock := range both {
		if clock.now.Before(d.Ends()) {
			return fmt.Errorf("disabled by ceremony %d: wait until %s, and %s clock shows %s: %w", d.Ceremony,
				d.Ends().Format(timeForm), clock.of, clock.now.Format(timeForm), ErrWaiting)
		}
	}
	return agree(both)
}

// clock is the console's or the store's.
type clock struct {
	of  string
	now time.Time
}

// clocks demands that neither was set: they agree, and are not before the last signed line.
func clocks(ctx context.Context, s *Site) error {
	both, err := bothClocks(ctx, s)
	if err != nil {
		return err
	}
	return agree(both)
}

// bothClocks are the console's and the store's, neither before the last signed line.
func bothClocks(ctx context.Context, s *Site) (both [2]clock, err error) {
	theirs, err := s.Store.Now(ctx)
	if err != nil {
		return both, err
	}
	both = [2]clock{{"the console's", time.Now().UTC()}, {"the store's", theirs.UTC()}}
	last := s.History.Logs[len(s.History.Logs)-1].Last().Clock()
	for _, clock := range both {
		if clock.now.Before(last.Add(-clocksApart)) {
			return both, fmt.Errorf("%s clock shows %s, and the last ceremony ended at %s: %w", clock.of,
				clock.now.Format(timeForm), last.Format(timeForm), ErrClocks)
		}
	}
	return both, nil
}

func agree(both [2]clock) error {
	if apart := both[1].now.Sub(both[0].now).Abs(); apart > clocksApart {
		return fmt.Errorf("the store's clock and the console's are %s apart: %w", apart.Round(time.Second), ErrClocks)
	}
	return nil
}
