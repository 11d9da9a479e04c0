package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// probe finds out what the provider really does, and compares it with the last
// ceremony and the canaries. The first ceremony wants a token without keys of ours.
func probe(first bool) Step {
	return Step{
		Name: "probe", Title: "Capability probe", EveryRun: true, Reach: true, Holds: true,
		Why: "Each line tests the provider, on temporary keys. " +
			"If a test fails, the ceremony stops here, and this step wrote nothing.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			if err := runProbe(ctx, s, d); err != nil {
				return nil, err
			}
			about, err := s.Provider.Describe(ctx)
			if err != nil {
				return nil, err
			}
			if err := sameAgain(s, about); err != nil {
				return nil, err
			}
			if err := comparePins(s, about); err != nil {
				return nil, err
			}
			if err := checkCanaries(ctx, s, f); err != nil {
				return nil, err
			}
			if err := compareVersions(ctx, s, f); err != nil {
				return nil, err
			}
			if err := checkLost(ctx, s, f); err != nil {
				return nil, err
			}
			if err := checkPlaced(ctx, s, f); err != nil {
				return nil, err
			}
			if first {
				if err := refuseUsedToken(ctx, s, f); err != nil {
					return nil, err
				}
			}
			s.Reached = about
			return about, nil
		},
	}
}

// runProbe shows each line as it comes; a verdict is an event before it is on
// the screen.
func runProbe(ctx context.Context, s *Site, d Desk) error {
	about, err := s.Provider.Describe(ctx)
	if err != nil {
		return err
	}
	d.Show(func(v *View) {
		v.Probe, v.Details = nil, nil
		for _, name := range tokenFirst(about) {
			v.Details = append(v.Details, Detail{Name: name, Value: about[name]})
		}
	})
	var noteErr error
	err = s.Provider.Probe(ctx, func(line provider.Verdict) {
		line.Line, line.Detail = printable.Text(line.Line), printable.Text(line.Detail)
		if line.Outcome != provider.Trying && noteErr == nil {
			noteErr = d.Note(ctx, Facts{"line": line.Line, "outcome": string(line.Outcome), "detail": line.Detail})
		}
		d.Show(func(v *View) { v.Probe = withVerdict(v.Probe, line) })
	})
	return errors.Join(err, noteErr)
}

// tokenFirst are the names of what a provider reports: first what people must recognize, then the rest.
func tokenFirst(about map[string]string) []string {
	first := []string{"token", "serial", "module", "module_sha256"}
	names := slices.DeleteFunc(slices.Clone(first), func(name string) bool { _, ok := about[name]; return !ok })
	for _, name := range slices.Sorted(maps.Keys(about)) {
		if !slices.Contains(first, name) {
			names = append(names, name)
		}
	}
	return names
}

// withVerdict replaces the line of the same name, or adds it. It copies: a view
// that was shown is never changed.
func withVerdict(lines []provider.Verdict, line provider.Verdict) []provider.Verdict {
	lines = slices.Clone(lines)
	for i := range lines {
		if lines[i].Line == line.Line {
			lines[i] = line
			return lines
		}
	}
	return append(lines, line)
}

// checkCanaries opens the canary of every version in the store against the
// digest that the transcript records.
func checkCanaries(ctx context.Context, s *Site, f Facts) error {
	keks, err := s.Store.KEKs(ctx)
	if err != nil {
		return err
	}
	versions := s.History.Versions()
	for _, k := range keks {
		if versions.Made[k.Version].State.Doomed() {
			continue // by signed logs, its key is gone
		}
		want, ok := s.History.Canary(k.Version)
		mine := k.Version == f.Version(transcript.FactTo) && f[transcript.FactBegun+transcript.ActCanary] != "" && !ok ||
			rebuilds(f, k.Version) && f[transcript.FactBegun+transcript.ActRebuild] != "" ||
			f[transcript.FactBegun+transcript.ActAdopt] != ""
		known, made := f[transcript.FactCanary(k.Version)]
		if f[transcript.FactKind] == transcript.KindReconcile && !made && slices.Contains(s.History.Canaries(k.Version),
			k.Canary.SHA256) {
			want = k.Canary.SHA256 // an earlier one of the same key, which the plan binds
		}
		switch {
		case made:
			want = known
		case mine:
			continue // this ceremony is about to write it down
		case !ok:
			return fmt.Errorf("version %d: no ceremony generated it: %w", k.Version, engine.ErrPlanted)
		}
		if k.Canary.SHA256 != want {
			return fmt.Errorf("version %d: %w", k.Version, ErrCanary)
		}
		if err := sameBound(s, k); err != nil {
			return err
		}
		if f[transcript.FactBegun+transcript.ActDestroy] != "" && k.Version == f.Version(transcript.FactVersion) {
			continue // its key may be gone
		}
		value, err := fleet.OpenCanary(ctx, s.Provider, s.Name(k.Version), k.Canary)
		if errors.Is(err, provider.ErrNoKey) && closesHere(ctx, s, f) {
			continue
		}
		if errors.Is(err, provider.ErrNoKey) && goesOnWithout(f, versions.Made[k.Version]) {
			if err := decidedGone(s, k.Version, otherCanary(err)); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return otherCanary(err)
		}
		value.Wipe()
	}
	return nil
}

// goesOnWithout reports whether people may decide that a ceremony continues where a version's key is gone: nothing
// reads with a disabled one. To enable it is to read with it.
func goesOnWithout(f Facts, made store.KEK) bool {
	enables := f[transcript.FactKind] == transcript.KindEnable && made.Version == f.Version(transcript.FactVersion)
	return made.State == store.Disabled && !enables
}

// refuseUsedToken keeps install off a token that holds a key of our form,
// unless this very ceremony made it.
func refuseUsedToken(ctx context.Context, s *Site, f Facts) error {
	ours, err := s.Provider.Ours(ctx)
	if err != nil {
		return err
	}
	if len(ours) == 0 || f[transcript.FactBegun+transcript.ActGenerate] != "" {
		return nil
	}
	return fmt.Errorf("key %s: %w", ours[0], ErrTokenUsed)
}
