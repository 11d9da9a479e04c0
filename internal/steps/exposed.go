package steps

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/exposure"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// exposed lists what the compromised version wrapped, in the run in which people sign it.
func exposed() Step {
	return Step{
		Name: "exposed", Title: "List what was exposed", EveryRun: true,
		Why: "A re-wrap does not help these envelopes: an old copy and the key give their data keys. The list shows later " +
			"which of them were sealed again.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			if err := settle(ctx, s, d); err != nil {
				return nil, err
			}
			v := f.Version(transcript.FactVersion)
			return list(ctx, s, f, s.History.Since(v), 0, nil)
		},
	}
}

// exposedSince lists what came after a ceremony listed what a compromised version wrapped: written by a writer that
// slept, or from a backup. The re-wrap would make it look like any other envelope.
func exposedSince() Step {
	return Step{
		Name: "exposed-since", Title: "List what was exposed since", EveryRun: true,
		Why: "Envelopes may have come to a compromised version after they were listed. They are listed before the re-wrap: " +
			"after it, nobody could tell them from others.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			if err := settle(ctx, s, d); err != nil {
				return nil, err
			}
			all := Facts{}
			for _, v := range f.Compromised() {
				earlier, err := earlierLists(s, f, v)
				if err != nil {
					return nil, err
				}
				facts, err := list(ctx, s, f, s.History.Idle(v), v, earlier)
				if err != nil {
					return nil, err
				}
				maps.Copy(all, facts)
			}
			return all, nil
		},
	}
}

// earlierLists are the files in which earlier runs of a rotation listed a version's envelopes: those that its log
// has, and those of a re-wrap that did not come to its end, of whatever version.
func earlierLists(s *Site, f Facts, v kek.Version) (sums []string, err error) {
	_, name, _ := transcript.FactsExposed(v)
	sums = strings.Fields(f[name])
	beside, err := exposure.Beside(filepath.Dir(s.Bundle), filepath.Base(s.Bundle))
	for _, sum := range beside {
		if !slices.Contains(sums, sum) {
			sums = append(sums, sum)
		}
	}
	return sums, err
}

// settle waits a live period: whatever a slow writer still had in hand has arrived by then.
func settle(ctx context.Context, s *Site, d Desk) error {
	if err := noStrangers(ctx, s); err != nil {
		return err
	}
	return livePeriod(ctx, s, d, "so that a write that is under way now is in the list")
}

// livePeriod waits as long as a process may be silent and still count as live. The page says why, and until when.
func livePeriod(ctx context.Context, s *Site, d Desk, why string) error {
	d.Show(func(v *View) { v.Waiting = "until " + clockIn(s.Fleet.Live) + ", " + why })
	if err := wait(ctx, s.Fleet.Live); err != nil {
		return err
	}
	d.Show(func(v *View) { v.Waiting = "" })
	return nil
}

// clockIn is what this console's clock shows after d.
func clockIn(d time.Duration) string { return time.Now().Add(d).UTC().Format("15:04:05 UTC") }

// list lists the envelopes at some versions, beside the bundle. The facts are of a compromised version, as
// FactsExposed names them. What earlier runs of this ceremony listed, in files with some digests, stays listed.
func list(
	ctx context.Context, s *Site, f Facts, at map[kek.Version]bool, of kek.Version, earlier []string,
) (Facts, error) {
	found, err := look(ctx, s, at)
	if err != nil {
		return nil, err
	}
	dir, bundle := filepath.Dir(s.Bundle), filepath.Base(s.Bundle)
	n, sum, places := transcript.FactsExposed(of)
	known, err := exposure.Read(dir, bundle, earlier)
	before := len(known)
	if err != nil { // it is on another console: what is listed twice is counted twice
		known, before = nil, f.Number(n)
	}
	fresh := found.List.Without(known)
	sums := earlier
	if len(fresh) > 0 || len(earlier) == 0 {
		files, err := fresh.Write(dir, bundle)
		if err != nil {
			return nil, err
		}
		sums = slices.Concat(earlier, files)
	}
	if len(earlier) > len(strings.Fields(f[sum])) { // a file that no line has may be of any place
		found.Places = append(found.Places, exposure.Places(s.Catalogue)...)
	}
	if len(earlier) > 0 {
		found.Places = append(found.Places, strings.Fields(f[places])...)
		slices.Sort(found.Places)
	}
	return Facts{n: strconv.Itoa(before + len(fresh)), sum: strings.Join(sums, " "),
		places: strings.Join(slices.Compact(found.Places), " ")}, nil
}

func look(ctx context.Context, s *Site, at map[kek.Version]bool) (exposure.Found, error) {
	written, err := writtenWith(ctx, s)
	if err != nil {
		return exposure.Found{}, err
	}
	return exposure.Of(ctx, s.Store, s.Catalogue, exposure.Wanted{At: at, Written: written})
}

// writtenWith is the version that applications write with; 0: it is compromised, and they write nothing.
func writtenWith(ctx context.Context, s *Site) (kek.Version, error) {
	active, err := s.Store.Active(ctx)
	if err != nil {
		return 0, err
	}
	k, err := findKEK(ctx, s, active.Version)
	if err != nil || k.State == store.Compromised {
		return 0, err
	}
	return active.Version, nil
}

// allListed reports whether every envelope that a compromised version may have exposed is listed. Where another
// console has the lists, people know better.
func allListed(ctx context.Context, s *Site, v kek.Version) (bool, error) {
	lists := s.History.Exposed(v)
	if len(lists) == 0 {
		return false, nil
	}
	ceremonies, err := s.Store.Ceremonies(ctx)
	if err != nil {
		return false, err
	}
	known, err := exposure.ReadAll(s.Bundles, ceremonies, lists)
	if err != nil {
		return false, nil
	}
	found, err := look(ctx, s, s.History.Since(v))
	return err == nil && len(found.List.Without(known)) == 0, err
}

// relisted are the versions whose envelopes a rotation lists before it re-wraps them.
func relisted(s *Site) string {
	var all []kek.Version
	for v, k := range s.History.Versions().Made {
		if k.State == store.Compromised {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	return joined(all)
}
