package steps

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// census counts twice, one live period apart: whatever a slow writer still had
// in hand at the first has arrived by the second.
func census() Step {
	return countTwice(Step{
		Name: "census", Title: "Census",
		Why: "Envelopes are counted twice: a write that was under way at the first count is in the second. " +
			"None may be at another version.",
	}, "at another version", func(ctx context.Context, s *Site, f Facts, last bool) error {
		// Since the scan, applications may have begun to write elsewhere. What the first count would find of that is
		// there at the last one as well.
		if last {
			if err := noStrangers(ctx, s); err != nil {
				return err
			}
		}
		due, err := countDue(ctx, s, f.Version(transcript.FactTo), f.Excluded())
		if err == nil && due > 0 {
			err = fmt.Errorf("%d envelopes are at another version: %w", due, engine.ErrUndone)
		}
		return err
	})
}

// countTwice is a step that counts twice. none returns an error unless it finds no envelope, of those that
// where names; it is told whether its count is the last.
func countTwice(step Step, where string, none func(ctx context.Context, s *Site, f Facts, last bool) error) Step {
	step.EveryRun = true
	step.Look = func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
		facts := Facts{"census_apart": s.Fleet.Live.String()}
		if err := checkTheirs(ctx, s, f); err != nil {
			return nil, err
		}
		if err := noneFellSilent(ctx, s, f); err != nil {
			return nil, err
		}
		for i, count := range []string{"census_1", "census_2"} {
			if i > 0 {
				if err := livePeriod(ctx, s, d, "so that a write that is under way now is in the second count"); err != nil {
					return nil, err
				}
			}
			if err := none(ctx, s, f, i > 0); err != nil {
				return nil, fmt.Errorf("count %d: %w", i+1, err)
			}
			facts[count] = "0 at " + time.Now().UTC().Format(time.RFC3339)
			if n := len(f.Excluded()); n > 0 {
				facts[count] += fmt.Sprintf(", without %d excluded", n)
			}
			d.Show(func(v *View) {
				v.Details = append(slices.Clone(v.Details), Detail{Name: fmt.Sprintf("count %d", i+1), Value: "0 " + where})
			})
		}
		// Who falls silent during the counts is named, and asked for no more: each count would
		// begin again for the next one.
		later, err := fellSilent(ctx, s, f)
		if err != nil {
			return nil, err
		}
		return facts, name(s, facts, "silent_since", later)
	}
	return step
}

// countDue counts the envelopes at another version, without those that are excluded.
func countDue(ctx context.Context, s *Site, to kek.Version, excluded []string) (int, error) {
	due, _, err := rewrap.Census(ctx, s.Store, s.Catalogue, to, excluded)
	return due, err
}
