package steps

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
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

// ErrClock: what was seen of processes since the gate cannot be told from what was seen before.
var ErrClock = errors.New("the store's clock went back since the fleet was verified")

// verifyFleet is the gate: nothing is written with the target before every
// live process has proved that it can read it. Somebody must account for those that ended
// without a word: they may come back without the target.
func verifyFleet() Step {
	return Step{
		Name: "fleet", Title: "Verify the fleet", EveryRun: true, Holds: true,
		Why: "Every live process must prove that it holds the target version. Until then the ceremony waits.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			w, err := watchFleet(ctx, s, cmp.Or(f.Version(transcript.FactTo), f.Version(transcript.FactActive)))
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
			facts := Facts{factGate: t.Now.Format(time.RFC3339Nano)}
			return facts, errors.Join(name(s, facts, "fleet", t.LiveNames()), name(s, facts, transcript.FactSilent, silent))
		},
	}
}

// factGate is when the fleet was verified, on the store's clock.
const factGate = "fleet_at"

// name adds the fact of a list of processes. One that is too long for a transcript is kept
// whole beside the bundle, of which it is no part, under the beginning of its digest.
func name(s *Site, facts Facts, fact string, names printable.List) error {
	facts[fact] = names.Text()
	if !names.Cut() {
		return nil
	}
	file := fmt.Sprintf(".%s.%s.%.16s", filepath.Base(s.Bundle), fact, transcript.Digest(names.Lines()))
	return keep(filepath.Join(filepath.Dir(s.Bundle), file), names.Lines())
}

// keep writes a file that is called by its digest: one that is there is the same.
func keep(path string, data []byte) error {
	err := file.Create(path, data)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// gateOf is when the fleet was verified in this run.
func gateOf(f Facts) (time.Time, error) { return time.Parse(time.RFC3339Nano, f[factGate]) }

// fellSilent are the processes that were live at the gate, or came later, and are silent now.
func fellSilent(ctx context.Context, s *Site, f Facts) (printable.List, error) {
	gate, err := gateOf(f)
	if err != nil {
		return nil, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	if now.Before(gate) { // it would hide them all
		return nil, fmt.Errorf("from %s to %s: %w", gate.Format(time.RFC3339), now.Format(time.RFC3339), ErrClock)
	}
	return fleet.Silent(ctx, s.Store, gate.Add(-s.Fleet.Live), now.Add(-s.Fleet.Live))
}

// noneFellSilent refuses processes that fell silent since the gate, unless people have decided
// to continue without them.
func noneFellSilent(ctx context.Context, s *Site, f Facts) error {
	names, err := fellSilent(ctx, s, f)
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
