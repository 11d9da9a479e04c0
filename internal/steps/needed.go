package steps

import (
	"context"
	"fmt"
	"strconv"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// needed refuses a version that envelopes are at, in whatever place. An envelope at no version that there is, since
// its version is text, nothing, or the number of none, may be at any: it counts as well, also one that a rotation
// excluded. That one was tried with no key.
func needed(ctx context.Context, s *Site, v kek.Version) error {
	if err := noStrangers(ctx, s); err != nil {
		return err
	}
	counts, err := s.Store.Census(ctx, s.Catalogue)
	if err != nil {
		return err
	}
	made := s.History.Versions().Made
	var at, unknown printable.List
	for _, c := range counts {
		place := fmt.Sprintf("%s (%d)", c.Place, c.N)
		if _, ok := made[c.Version]; c.Version == v && c.N > 0 {
			at = append(at, place)
		} else if !ok && c.N > 0 {
			unknown = append(unknown, place)
		}
	}
	switch {
	case len(at) > 0:
		err = fmt.Errorf("version %d: %s: %w", v, at.Brief(), ErrNeeded)
	case len(unknown) > 0:
		err = fmt.Errorf("version %d: %s: %w", v, unknown.Brief(), ErrAnyVersion)
	}
	return err
}

// unneeded counts before people approve.
func unneeded() Step {
	return Step{
		Name: "unneeded", Title: "Look for envelopes of the version", EveryRun: true, Holds: true,
		Why: "No envelope may be at this version, in any place: processes could not open it any more.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			v := f.Version(transcript.FactVersion)
			if err := checkTheirs(ctx, s, f); err != nil {
				return nil, err
			}
			show := func(found string) {
				d.Show(func(v *View) { v.Details = []Detail{{Name: "envelopes", Value: found}} })
			}
			if f[transcript.FactBegun+transcript.ActDisable] != "" { // the recount says what came since
				show("an earlier run began to disable the version; they are counted again after that")
				return Facts{}, nil
			}
			if err := needed(ctx, s, v); err != nil {
				return nil, err
			}
			show(fmt.Sprintf("none at version %d, in %d fields of the catalogue", v, len(s.Catalogue)))
			return Facts{"envelopes": "0 at version " + strconv.Itoa(int(v))}, nil
		},
	}
}

// recount counts twice, one live period apart, once no process has the key.
func recount() Step {
	return countTwice(Step{
		Name: "recount", Title: "Count again",
		Why: "Envelopes are counted twice: a write that was under way at the first count is in the second. " +
			"None may be at the disabled version.",
	}, "at the disabled version", func(ctx context.Context, s *Site, f Facts, _ bool) error {
		if err := needed(ctx, s, f.Version(transcript.FactVersion)); err != nil {
			return err
		}
		return clocks(ctx, s)
	})
}
