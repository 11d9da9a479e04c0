package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// ErrRefused: something may still need the version.
var ErrRefused = errors.New("a process was asked for this version since it was disabled")

// whatRefusal and a digest of what the refusal says name the deviation by which people set it aside: another
// one, of the same process too, is another deviation.
const whatRefusal = "refusal_"

// noneRefused demands that no process was asked for the version since it was disabled. Anyone who can write to
// the store can write a refusal. One of a process of which nobody knows, people may look at and set aside: it is
// a deviation, before they approve.
func noneRefused(ctx context.Context, s *Site, v kek.Version, by history.Disabling) error {
	all, err := s.Store.Refusals(ctx, v)
	if err != nil {
		return err
	}
	expected, err := expectedFrom(ctx, s)
	if err != nil {
		return err
	}
	var aside error
	for _, r := range all {
		if r.Epoch < by.Epoch {
			continue
		}
		if expected(r) {
			return fmt.Errorf("version %d: %s: %w", v, printable.Text(refusal(r)), ErrRefused)
		}
		d := &engine.DeviationError{What: whatRefusal + transcript.Digest([]byte(refusal(r)))[:8],
			Expected: "none of version " + v.String() + " since it was disabled", Seen: refusal(r), Err: ErrRefused}
		if aside == nil && !s.Decided(d) {
			aside = d
		}
	}
	return aside
}

// refusal says who refused, where, how often and when, in foreign text.
func refusal(r store.Refusal) string {
	host, _, ok := strings.Cut(r.Process, "/")
	if !ok {
		host = "unknown"
	}
	return fmt.Sprintf("process %s on host %s, role %s, refused %d envelopes, the last at %s", r.Process, host, r.Role,
		r.Count, r.Last.UTC().Format(time.RFC3339))
}

// expectedFrom reports of a refusal whether it is of a process or a role that ever reported, that is expected, or
// that nobody counts.
func expectedFrom(ctx context.Context, s *Site) (func(store.Refusal) bool, error) {
	beats, err := s.Store.Heartbeats(ctx, time.Time{})
	roles, processes := maps.Clone(s.Fleet.Expect), map[string]bool{}
	if roles == nil {
		roles = map[string]int{}
	}
	for _, role := range s.Fleet.Uncounted {
		roles[role] = 1
	}
	for _, b := range beats {
		roles[b.Role], processes[b.Process] = 1, true
	}
	return func(r store.Refusal) bool {
		_, known := roles[r.Role]
		return known || processes[r.Process]
	}, err
}

// refusers are the roles of processes that were asked for a disabled version.
func refusers(ctx context.Context, s *Site) (roles []string, err error) {
	keks, err := s.Store.KEKs(ctx)
	for _, k := range keks {
		all, readErr := s.Store.Refusals(ctx, k.Version)
		err = errors.Join(err, readErr)
		for _, r := range all {
			roles = append(roles, r.Role)
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles), err
}

// undecided makes of a deviation that nobody decided before the approval a plain refusal.
func undecided(err error) error {
	var d *engine.DeviationError
	if errors.As(err, &d) {
		return fmt.Errorf("%s: %w", printable.Text(d.Seen), d.Err)
	}
	return err
}

// forPeople are the errors of mayDestroy that people may decide on in the ceremony.
func forPeople(err error) error {
	var d *engine.DeviationError
	if errors.As(err, &d) {
		return nil
	}
	return err
}
