package steps

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/exposure"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// late lists what comes to compromised versions while a rotation re-wraps, after it listed what was there.
type late struct {
	dir, bundle string
	lists       []*lateList
}

// lateList is the one of a version.
type lateList struct {
	version kek.Version
	wanted  exposure.Wanted
	known   exposure.List
	n       int
	sums    []string
	places  []string
}

// lateOnes begins from what the rotation listed so far.
func lateOnes(s *Site, f Facts) late {
	l := late{dir: filepath.Dir(s.Bundle), bundle: filepath.Base(s.Bundle)}
	for _, v := range f.Compromised() {
		n, sums, places := transcript.FactsExposed(v)
		list := &lateList{version: v, wanted: exposure.Wanted{At: s.History.Idle(v)}, n: f.Number(n),
			sums: strings.Fields(f[sums]), places: strings.Fields(f[places])}
		list.known, _ = exposure.Read(l.dir, l.bundle, list.sums) // what is on another console is listed again
		l.lists = append(l.lists, list)
	}
	return l
}

// expose is what the re-wrap asks before it writes a page; nil: no version is compromised. What is new is on disk
// before it looks like any other envelope.
func (l late) expose() func(envelope.Collection, []store.Document) error {
	if len(l.lists) == 0 {
		return nil
	}
	return func(c envelope.Collection, docs []store.Document) error {
		for _, list := range l.lists {
			found := exposure.Among(c, docs, list.wanted)
			fresh := found.List.Without(list.known)
			if len(fresh) == 0 {
				continue
			}
			sums, err := fresh.Write(l.dir, l.bundle)
			if err != nil {
				return err
			}
			list.known, list.n = list.known.Or(fresh), list.n+len(fresh)
			list.sums, list.places = append(list.sums, sums...), append(list.places, found.Places...)
		}
		return nil
	}
}

// facts are those of all lists.
func (l late) facts() Facts {
	facts := Facts{}
	for _, list := range l.lists {
		n, sums, places := transcript.FactsExposed(list.version)
		slices.Sort(list.places)
		facts[n], facts[sums] = strconv.Itoa(list.n), strings.Join(list.sums, " ")
		facts[places] = strings.Join(slices.Compact(list.places), " ")
	}
	return facts
}
