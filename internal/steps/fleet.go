package steps

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// ErrFellSilent: a process that was live at the gate may come back without the target, or
// still hold what it read with the old version.
var ErrFellSilent = errors.New("processes fell silent since the fleet was verified, and did not say that they stopped")

// verifyFleet is the gate: nothing is written with the target before every
// live process has proved that it can read it. Somebody must account for those that ended
// without a word: they may come back without the target.
func verifyFleet() Step {
	return Step{
		Name: "fleet", Title: "Verify the fleet", EveryRun: true,
		Why: "Every live process must prove that it holds the target version before anything is written with it.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			w, err := watchFleet(ctx, s, f.Version(transcript.FactTo))
			if err != nil {
				return nil, err
			}
			defer w.close()
			t, err := w.until(ctx, d, fleet.Table.Lacking)
			if err != nil {
				return nil, err
			}
			silent, err := fleet.Silent(ctx, s.Store, time.Time{}, t.Now.Add(-s.Fleet.Live))
			if err != nil {
				return nil, err
			}
			facts := Facts{factGate: t.Now.Format(time.RFC3339)}
			return facts, errors.Join(name(s, facts, "fleet", t.LiveNames()), name(s, facts, transcript.FactSilent, silent))
		},
	}
}

// factGate is when the fleet was verified, on the store's clock.
const factGate = "fleet_at"

// name adds the fact of a list of processes. One that is too long for a transcript is kept
// whole beside the bundle, of which it is no part; the fact has its digest.
func name(s *Site, facts Facts, fact string, names printable.List) error {
	facts[fact] = names.Text()
	if !names.Cut() {
		return nil
	}
	return file.Replace(filepath.Join(filepath.Dir(s.Bundle), "."+filepath.Base(s.Bundle)+"."+fact), names.Lines())
}

// gateOf is the time before which a process that was not seen since was accounted for.
func gateOf(s *Site, f Facts) (time.Time, error) {
	gate, err := time.Parse(time.RFC3339, f[factGate])
	return gate.Add(-s.Fleet.Live), err
}

// noneFellSilent refuses processes that fell silent since the gate, unless people have decided
// to continue without them.
func noneFellSilent(ctx context.Context, s *Site, f Facts) error {
	from, err := gateOf(s, f)
	if err != nil {
		return err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	names, err := fleet.Silent(ctx, s.Store, from, now.Add(-s.Fleet.Live))
	if err != nil || len(names) == 0 {
		return err
	}
	d := &engine.DeviationError{What: "fell_silent", Expected: "reports until the census", Seen: names.Text(),
		Err: ErrFellSilent}
	if s.Decided(d) {
		return nil
	}
	return d
}
