package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// fencing decides, when a ceremony opens, whether the server will refuse writes with what is retired.
// Where it will not, the plan says why.
func fencing(ctx context.Context, s *Site) (string, error) {
	if s.Fleet.Unfenced {
		return transcript.Unfenced + ": the configuration has fleet.unfenced", nil
	}
	err := s.Store.CanFence(ctx, s.Catalogue)
	if errors.Is(err, store.ErrNoFence) {
		return transcript.Unfenced + ": " + printable.Text(err.Error()), nil
	}
	return transcript.Fenced, err
}

// fence has the server itself refuse what nothing may be written with any more. A writer that slept
// through the switch, and past every wait, does not know better.
func fence() Step {
	return Step{
		Name: transcript.ActFence, Title: "Fence off the old versions",
		Why: "From now on, the database refuses a write with any of them, also by a writer that slept until now.",
		Act: &Act{
			Plan: func(_ *Site, f Facts) []Effect {
				which := "every version that is not live"
				if to := f[transcript.FactTo]; to != "" {
					which = "every version but " + to
				}
				return []Effect{{Verb: "fence", Object: which + ": the server refuses to write with it", Undo: "rotate back"}}
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				versions, err := fencedOff(ctx, s, f)
				if err != nil {
					return NotBegun, nil, err
				}
				all, err := s.Store.Fenced(ctx, s.Catalogue)
				another := func(c store.Fenced) bool { return !slices.Equal(c.Refused, versions) }
				if err != nil || slices.ContainsFunc(all, another) {
					return NotBegun, nil, err
				}
				return Done, Facts{transcript.FactFenced: joined(versions)}, nil
			},
			Do: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
				versions, err := fencedOff(ctx, s, f)
				if err != nil {
					return nil, err
				}
				return nil, s.Store.Fence(ctx, s.Catalogue, versions)
			},
		},
	}
}

// fenceSummary says who else keeps an old version from coming back.
func fenceSummary(f Facts) []string {
	if !f.Fences() {
		return nil
	}
	return []string{"The database refuses to write with: " + strings.ReplaceAll(f[transcript.FactFenced], " ", ", ") + "."}
}

// fencedOff are the versions that nothing is written with after this ceremony: all but its target, or
// those that are not live.
func fencedOff(ctx context.Context, s *Site, f Facts) (versions []kek.Version, err error) {
	keks, err := s.Store.KEKs(ctx)
	to := f.Version(transcript.FactTo)
	for _, k := range keks {
		if to != 0 && k.Version != to || to == 0 && k.State != store.Live {
			versions = append(versions, k.Version)
		}
	}
	return versions, err
}

func joined(versions []kek.Version) string {
	names := make([]string, len(versions))
	for i, v := range versions {
		names[i] = v.String()
	}
	return strings.Join(names, " ")
}

// lifting is what a plan says of a fence that stands before its target.
func lifting(f Facts) []Effect {
	switch {
	case f[transcript.FactFence] == "": // begun by a program that knew no fence
		return nil
	case !f.Fences():
		return unfenced(f, "a fence that is there is lifted")
	case f[transcript.FactGenerate] == "yes": // nothing refuses what there never was
		return nil
	}
	return []Effect{{Verb: "lift", Object: "the server's fence for version " + f[transcript.FactTo] + ", if there is one",
		Undo: "rotate again"}}
}

// unfenced is what the plan of a ceremony without a fence says of it, and of what follows.
func unfenced(f Facts, follows string) []Effect {
	if !f.Unfenced() {
		return nil
	}
	_, why, _ := strings.Cut(f[transcript.FactFence], ": ")
	return []Effect{{Verb: transcript.Unfenced, Object: why + "; " + follows, Undo: "rotate again, with a fence"}}
}

// lift has the server take the target before writers use it. What else is refused stays so, but where
// the ceremony is unfenced.
func lift(ctx context.Context, s *Site, f Facts) error {
	to := f.Version(transcript.FactTo)
	all, err := s.Store.Fenced(ctx, s.Catalogue)
	if err != nil {
		return err
	}
	var stay []kek.Version
	for _, c := range all {
		for _, v := range c.Refused {
			if v != to && !f.Unfenced() && !slices.Contains(stay, v) {
				stay = append(stay, v)
			}
		}
	}
	if err := s.Store.Fence(ctx, s.Catalogue, stay); err != nil {
		return fmt.Errorf("lift the fence for version %d: %w", to, err)
	}
	return nil
}

// refused reports whether the server refuses a version somewhere.
func refused(ctx context.Context, s *Site, v kek.Version) (bool, error) {
	all, err := s.Store.Fenced(ctx, s.Catalogue)
	return slices.ContainsFunc(all, func(c store.Fenced) bool { return c.Refuses(v) }), err
}
