package steps

import (
	"context"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// moved lists what the last closed ceremony saw otherwise: another module, token or
// IV mode. Vendors update modules, and HSMs are replaced by their clones.
func moved(s *Site, about map[string]string) (all []*engine.DeviationError) {
	last := s.History.Approved()
	for _, name := range provider.Stable(s.Kind) {
		is, known := about[name]
		if want, ok := last[name]; ok && known && is != want {
			all = append(all, &engine.DeviationError{What: name, Expected: want, Seen: is, Err: ErrPins})
		}
	}
	return all
}

// sameAgain refuses another token, module or IV mode than this run saw before the
// token or its module was lost. Who has attended approved with that one in sight.
func sameAgain(s *Site, about map[string]string) error {
	for _, name := range provider.Stable(s.Kind) {
		is, known := about[name]
		if was, ok := s.Reached[name]; ok && known && is != was {
			return fmt.Errorf("%s: was %s, is %s: %w", name, was, is, ErrOtherToken)
		}
	}
	return nil
}

// comparePins refuses what moved, unless people have decided to continue with it.
func comparePins(s *Site, about map[string]string) error {
	for _, d := range moved(s, about) {
		if d.What == transcript.FactProvider {
			return fmt.Errorf("%s: was %s, is %s: %w", d.What, d.Expected, d.Seen, store.ErrLockDiffers) // locked permanently
		}
		if !s.Decided(d) {
			return d
		}
	}
	return nil
}

// compareVersions refuses states and a pointer that are not as the last ceremony left them,
// unless people have decided to continue. What this ceremony moves itself is not compared, nor
// what a reconciliation has people sign as it is.
func compareVersions(ctx context.Context, s *Site, f Facts) error {
	if f[transcript.FactBegun+transcript.ActSwitch] != "" || len(s.History.Logs) == 0 ||
		f[transcript.FactKind] == transcript.KindReconcile {
		return nil
	}
	keks, err := s.Store.KEKs(ctx)
	if err != nil {
		return err
	}
	active, err := s.Store.Active(ctx)
	if err != nil {
		return err
	}
	for _, diff := range s.History.Versions().Differences(keks, active) {
		if movesItself(f) && diff.Of(f.Version(transcript.FactVersion)) {
			continue
		}
		d := &engine.DeviationError{What: diff.What, Expected: diff.Was, Seen: diff.Is, Err: history.ErrVersions}
		if !s.Decided(d) {
			return d
		}
	}
	return nil
}

// movesItself reports whether this ceremony has begun to move the one version that it is about.
func movesItself(f Facts) bool {
	return f[transcript.FactVersion] != "" && slices.ContainsFunc(transcript.Required(f), func(act string) bool {
		return f[transcript.FactBegun+act] != ""
	})
}
