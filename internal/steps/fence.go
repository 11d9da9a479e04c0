package steps

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/envelope"
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
				which, undo := "every version but the active one, and those that are live",
					"enable the version: a rotation to it lifts the fence"
				if to := f[transcript.FactTo]; to != "" {
					which, undo = "every version but "+to, "rotate back"
				}
				return []Effect{{Verb: "fence", Object: which + ": the server refuses to write with it",
					Undo: undo}}
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				versions := fencedOff(s, f)
				all, err := s.Store.Fenced(ctx, s.Catalogue)
				another := func(c store.Fenced) bool { return !slices.Equal(c.Refused, versions) }
				if err != nil || slices.ContainsFunc(all, another) {
					return NotBegun, nil, err
				}
				facts := Facts{transcript.FactFenced: joined(versions)}
				if absent := unmade(s.Catalogue, all); len(absent) > 0 {
					facts[factNotThere] = absent.Brief()
				}
				return Done, facts, nil
			},
			Do: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
				return nil, s.Store.Fence(ctx, s.Catalogue, fencedOff(s, f))
			},
		},
	}
}

// fenceSummary says who else keeps an old version from coming back.
func fenceSummary(f Facts) []string {
	if !f.Fences() {
		return nil
	}
	versions := strings.Fields(f[transcript.FactFenced])
	word := "version"
	if len(versions) > 1 {
		word = "versions"
	}
	lines := []string{"The database refuses to write with " + word + " " + strings.Join(versions, ", ") + "."}
	if absent := f[factNotThere]; absent != "" {
		lines = append(lines, "No fence: "+absent+". Once it is there, the status says what to run.")
	}
	return lines
}

// factNotThere are the collections of the catalogue in which nothing is refused, since they are not there.
const factNotThere = "not_there"

// unmade are the collections of a catalogue that the server has not.
func unmade(c envelope.Catalogue, there []store.Fenced) (names printable.List) {
	for _, p := range c.Collections() {
		if !slices.ContainsFunc(there, func(f store.Fenced) bool { return f.Collection == p.Name }) {
			names = append(names, printable.Text(p.Name))
		}
	}
	return names
}

// fencedOff are the versions that nothing is written with after this ceremony, by the signed logs: all but its target,
// or those that are not live. An edited row has nothing refused. The pointer's version is refused only by a rotation
// away from it, whose plan says so: the programs that follow the pointer would write nothing any more.
func fencedOff(s *Site, f Facts) (versions []kek.Version) {
	logs, to := s.History.Versions(), f.Version(transcript.FactTo)
	refused := logs.Refused()
	for _, v := range slices.Sorted(maps.Keys(logs.Made)) {
		left := v != logs.Active && logs.Made[v].State != store.Live || slices.Contains(refused, v)
		if to != 0 && v != to || to == 0 && left {
			versions = append(versions, v)
		}
	}
	return versions
}

func joined(versions []kek.Version) string {
	names := make([]string, len(versions))
	for i, v := range versions {
		names[i] = v.String()
	}
	return strings.Join(names, " ")
}

// unfenced is what the plan of a ceremony without a fence says of it, and of what follows.
func unfenced(f Facts, follows string) []Effect {
	if !f.Unfenced() {
		return nil
	}
	_, why, _ := strings.Cut(f[transcript.FactFence], ": ")
	return []Effect{{Verb: transcript.Unfenced, Object: why + "; " + follows, Undo: "rotate again, with a fence"}}
}
