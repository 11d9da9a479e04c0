package steps

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Deviations that people decide before they disable a version.
const (
	whatWait      = "wait"
	whatUncounted = "uncounted"
)

// Rules that these deviations break.
var (
	ErrWait      = errors.New("a version is not destroyed before backups that need it are gone")
	ErrUncounted = errors.New("processes of these roles prove nothing: nobody sees whether they still have the key")
)

// leastWait is how long a version stays disabled before it may be destroyed, if backups are not kept longer.
const leastWait = 30 * 24 * time.Hour

// terms settles what the plan of a disable says about the time after it, and about processes that
// nobody counts. Later configurations change neither.
func terms() Step {
	return Step{
		Name: "terms", Title: "Waiting period and uncounted processes", Holds: true,
		Why: "The plan says how long the version stays disabled before it may be destroyed, " +
			"and which roles send no heartbeats, so that nobody sees whether they still have the key.",
		Look: func(_ context.Context, s *Site, _ Facts, d Desk) (Facts, error) {
			wait, err := plannedWait(s)
			if err != nil {
				return nil, err
			}
			facts := Facts{transcript.FactWait: wait.String()}
			if err := counted(s); err != nil {
				return nil, err
			}
			d.Show(func(v *View) {
				v.Details = []Detail{
					{Name: "waiting period", Value: transcript.Said(transcript.FactWait, wait.String()) +
						" from the end of this ceremony; the key is not destroyed before"},
					{Name: "roles not seen", Value: cmp.Or(strings.Join(s.Fleet.Uncounted, ", "),
						"none: every role of the fleet sends heartbeats")},
				}
			})
			return facts, nil
		},
	}
}

// plannedWait is 30 days, or as long as backups are kept, or longer. In production less is a deviation.
func plannedWait(s *Site) (time.Duration, error) {
	due, wait := max(leastWait, s.Policy.BackupRetention), s.Policy.DestroyWait
	if wait == 0 {
		return due, nil
	}
	d := &engine.DeviationError{What: whatWait, Expected: "at least " + due.String(), Seen: wait.String(), Err: ErrWait}
	if wait < due && s.Mode != quorum.Rehearsal && !s.Decided(d) {
		return 0, d
	}
	return wait, nil
}

// counted refuses roles of which no process reports, unless people have decided to continue.
func counted(s *Site) error {
	if len(s.Fleet.Uncounted) == 0 {
		return nil
	}
	roles := slices.Sorted(slices.Values(s.Fleet.Uncounted))
	d := &engine.DeviationError{What: whatUncounted, Expected: "an agent or the keyring for each process",
		Seen: strings.Join(roles, ", "), Err: ErrUncounted}
	if s.Decided(d) {
		return nil
	}
	return d
}
