package rewrap

import (
	"context"
	"slices"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Census counts the envelopes that are not at a version. Those of excluded, named as
// undecryptable ones are, do not count; met lists which of them there are.
//
// With exclusions the records themselves are looked at: to take the excluded ones off
// what the store counted before would hide as many others when they were written between.
func Census(
	ctx context.Context, s store.Envelopes, cat envelope.Catalogue, to kek.Version, excluded []string,
) (due int, met []string, err error) {
	counts, err := s.Census(ctx, cat)
	if err != nil {
		return 0, nil, err
	}
	total := 0
	for _, c := range counts {
		if c.Version != to {
			total += c.N
		}
	}
	if total == 0 || len(excluded) == 0 {
		return total, nil, nil
	}
	seen, names := 0, setOf(excluded)
	for _, c := range cat.Collections() {
		var after any
		for {
			docs, err := s.Page(ctx, c, to, after, maxPage)
			if err != nil {
				return 0, nil, err
			}
			if len(docs) == 0 {
				break
			}
			for _, d := range docs {
				n, stale := counted(c, d, to)
				seen += n
				if others(stale, names) {
					due += n
				} else {
					met = append(met, stale...)
				}
			}
			after = docs[len(docs)-1].ID
		}
	}
	return due + max(0, total-seen), met, nil // what no page can hold is due too
}

// counted is what the census counts of a record, and the names of its envelopes that are
// not at the target.
func counted(c envelope.Collection, d store.Document, to kek.Version) (n int, stale []string) {
	for _, h := range d.Envelopes {
		if h.Version != to {
			stale = append(stale, nameOf(c, d, h))
			n++
		}
		if c.Outer != "" && d.Version != h.Version && d.Version != to {
			n++
		}
	}
	return n, stale
}

// others reports whether a record is kept from the target by anything but excluded
// envelopes: by another one, or by its outer version alone.
func others(stale []string, excluded map[string]bool) bool {
	return len(stale) == 0 || slices.ContainsFunc(stale, func(name string) bool { return !excluded[name] })
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}
