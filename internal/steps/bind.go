package steps

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// bind lists what every plan binds: provider and token, people, places, keys, what differs
// from the last ceremony, and who is gone.
func bind(ctx context.Context, s *Site, f Facts, acts []string) (lines []Detail, err error) {
	add := func(name, value string) { lines = append(lines, Detail{Name: name, Value: value}) }
	about := map[string]string{}
	if s.Provider != nil { // a change of people touches no token
		if about, err = s.Provider.Describe(ctx); err != nil {
			return nil, err
		}
	}
	for _, name := range provider.InPlan(s.Kind) {
		if v, ok := about[name]; ok {
			add(name, v)
		}
	}
	add(transcript.FactRoster+"_sha256", s.Roster.Digest())
	add("catalogue", s.Catalogue.String())
	if next := f[transcript.FactNextRoster+"_sha256"]; next != "" {
		add(transcript.FactNextRoster+"_sha256", next)
	}
	to := f.Version(transcript.FactTo)
	if to != 0 {
		add("key", fmt.Sprintf("%s id %s", s.Name(to).Label, s.Name(to).HexID()))
		if s.Name(to).Bound {
			add(transcript.FactBound, "yes")
		} else if from := f.Version(transcript.FactFrom); s.Name(from).Bound {
			add(transcript.FactBound, fmt.Sprintf("no, and version %d is", from))
		}
	}
	keks, err := s.Store.KEKs(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range keks {
		// A version that this plan makes is not bound by what it will be.
		makes := k.Version == to && slices.Contains(acts, transcript.ActGenerate) || rebuilds(f, k.Version) ||
			slices.Contains(acts, transcript.ActAdopt)
		if !makes {
			add("canary", fmt.Sprintf("%d %s", k.Version, k.Canary.SHA256))
		}
	}
	for _, d := range moved(s, about) {
		add("deviation", fmt.Sprintf("%s: was %s, is %s", d.What, d.Expected, d.Seen))
	}
	for _, d := range s.Deviations {
		if what := d[transcript.FactWhat]; beforePlan(what) {
			add("deviation", fmt.Sprintf("%s: was %s, is %s", what, d[transcript.FactExpected], d[transcript.FactSeen]))
		}
	}
	if gone := f[transcript.FactSilent]; gone != "" {
		add("processes accepted as gone", gone)
	}
	return lines, nil
}

// beforePlan reports whether a deviation is one that people decide before the plan: of versions, of
// the roster's file, of processes, of their refusals, or of what an application made.
func beforePlan(what string) bool {
	return history.OfVersions(what) || strings.HasPrefix(what, whatKey) || strings.HasPrefix(what, whatRefusal) ||
		slices.Contains([]string{whatRoster, whatUnproven, whatSample, whatWait, whatUncounted, whatUnchecked}, what)
}

// bindVersion adds to what every plan binds the key of the one version that the ceremony is about, and
// how long it stays disabled.
func bindVersion(ctx context.Context, s *Site, f Facts, acts []string) ([]Detail, error) {
	lines, err := bind(ctx, s, f, acts)
	n := s.Name(f.Version(transcript.FactVersion))
	lines = append(lines, Detail{Name: "key", Value: fmt.Sprintf("%s id %s", n.Label, n.HexID())})
	if wait := f[transcript.FactWait]; wait != "" {
		lines = append(lines, Detail{Name: transcript.FactWait, Value: wait})
	}
	return lines, err
}
