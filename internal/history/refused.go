package history

import (
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// whatFence begins the name of a difference in what the server refuses; a collection's name follows.
const whatFence = "fence_"

// fenced takes which versions a ceremony had the server refuse, or take again.
func (v *Versions) fenced(log transcript.State) {
	if log.Done(transcript.ActSwitch) {
		delete(v.refused, log.Facts.Version(transcript.FactTo))
		if log.Opened().Unfenced() {
			clear(v.refused)
		}
	}
	if !log.Done(transcript.ActFence) {
		return
	}
	clear(v.refused)
	for name := range strings.FieldsSeq(log.Facts[transcript.FactFenced]) {
		if version, err := kek.ParseVersion(name); err == nil {
			v.refused[version] = true
		}
	}
}

// Refused are the versions that the server must refuse to write with since the last ceremonies,
// ascending. What is live is not refused, also where a store that went back has it so.
func (v Versions) Refused() (all []kek.Version) {
	for version := range v.refused {
		if version != v.Active && v.Made[version].State != store.Live {
			all = append(all, version)
		}
	}
	slices.Sort(all)
	return all
}

// Fence are the differences in what the server refuses: a collection that lost its fence, one that does
// not take the active version, or one that refuses what no ceremony had it refuse.
func (v Versions) Fence(is []store.Fenced) (all []Difference) {
	want := v.Refused()
	for _, c := range is {
		lost := slices.ContainsFunc(want, func(w kek.Version) bool { return !c.Refuses(w) })
		more := slices.ContainsFunc(c.Refused, func(is kek.Version) bool { return !v.refused[is] })
		if lost || more || c.Refuses(v.Active) {
			all = append(all, Difference{whatFence + printable.Text(c.Collection), list(want), list(c.Refused)})
		}
	}
	return all
}

func list(versions []kek.Version) string {
	if len(versions) == 0 {
		return "nothing"
	}
	names := make([]string, len(versions))
	for i, v := range versions {
		names[i] = v.String()
	}
	return strings.Join(names, " ")
}
