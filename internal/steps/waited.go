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
// that neither was set: they agree, and are not before the last signed line.
func waited(ctx context.Context, s *Site, d history.Disabling) error {
	theirs, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	last := s.History.Logs[len(s.History.Logs)-1].Last().Clock()
	ours := time.Now()
	for _, clock := range []struct {
		of  string
		now time.Time
	}{{"the console's", ours}, {"the store's", theirs}} {
		now := clock.now.UTC()
		switch {
		case now.Before(last.Add(-clocksApart)):
			return fmt.Errorf("%s clock shows %s, and the last ceremony ended at %s: %w", clock.of, now.Format(timeForm),
				last.Format(timeForm), ErrClocks)
		case now.Before(d.Ends()):
			return fmt.Errorf("disabled by ceremony %d: wait until %s, and %s clock shows %s: %w", d.Ceremony,
				d.Ends().Format(timeForm), clock.of, now.Format(timeForm), ErrWaiting)
		}
	}
	if apart := theirs.Sub(ours).Abs(); apart > clocksApart {
		return fmt.Errorf("the store's clock and the console's are %s apart: %w", apart.Round(time.Second), ErrClocks)
	}
	return nil
}
