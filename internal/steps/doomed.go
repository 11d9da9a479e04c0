package steps

import (
	"context"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// factFoundBefore is how often the key was found before people decided.
const factFoundBefore = "found_before"

// doomed looks at the very key before people decide: that its canary opens with it, that the provider would
// destroy it, and what it says of it. It says what becomes unreadable.
func doomed() Step {
	return Step{
		Name: "key", Title: "The key to be destroyed", EveryRun: true, Holds: true,
		Why: "A destroyed key cannot be restored. Whatever is still wrapped by it, in any backup, is lost with it.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			v := f.Version(transcript.FactVersion)
			if err := notKept(f); err != nil {
				return nil, err
			}
			all, err := s.Provider.Search(ctx, s.Name(v))
			if err != nil {
				return nil, err
			}
			facts := Facts{factFoundBefore: provider.Evidence(all), transcript.FactGone: "no"}
			if !provider.Left(all) && decidedGone(s, v, nil) == nil {
				facts[transcript.FactGone] = "yes"
			}
			if provider.Left(all) {
				err = wholeDoomed(ctx, s, v)
			} else {
				err = mayBeGone(s, f)
			}
			if err == nil {
				err = noneElsewhere(ctx, s, f)
			}
			if err != nil {
				return nil, err
			}
			d.Show(func(view *View) {
				view.Details = []Detail{{Name: "key", Value: s.Name(v).Label},
					{Name: "found", Value: transcript.Said(factFoundBefore, facts[factFoundBefore])},
					{Name: "lost with it", Value: unreadable(f)}}
			})
			return facts, nil
		},
	}
}

// wholeDoomed demands that the key found is the version's own, and that the provider would destroy it.
func wholeDoomed(ctx context.Context, s *Site, v kek.Version) error {
	if err := whole(ctx, s, v); err != nil {
		return err
	}
	return s.Provider.Destroyable(ctx, s.Name(v))
}

// unreadable says what is lost with a key, for the page and for the plan.
func unreadable(f Facts) string {
	by, _, _ := strings.Cut(f[transcript.FactDisabledBy], " ")
	return printable.Text(fmt.Sprintf("every envelope at version %s in a backup or copy of the database "+
		"from before ceremony %s disabled it", f[transcript.FactVersion], by))
}
