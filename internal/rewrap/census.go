package rewrap

import (
	"context"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Census counts the envelopes that are not at a version. Those of excluded, named as
// undecryptable ones are, do not count; met lists which of them there are.
func Census(
	ctx context.Context, s store.Envelopes, cat envelope.Catalogue, to kek.Version, excluded []string,
) (left int, met []string, err error) {
	counts, err := s.Census(ctx, cat)
	if err != nil {
		return 0, nil, err
	}
	for _, c := range counts {
		if c.Version != to {
			left += c.N
		}
	}
	if left == 0 || len(excluded) == 0 {
		return left, nil, nil
	}
	names := setOf(excluded)
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
				n, some := counted(c, d, to, names)
				left -= n
				met = append(met, some...)
			}
			after = docs[len(docs)-1].ID
		}
	}
	return left, met, nil
}

// counted is what the census counts of a record that only excluded envelopes keep
// from the target, and their names.
func counted(
	c envelope.Collection, d store.Document, to kek.Version, excluded map[string]bool,
) (n int, names []string) {
	for _, h := range d.Envelopes {
		if h.Version != to {
			name := nameOf(c, d, h)
			if !excluded[name] {
				return 0, nil
			}
			names = append(names, name)
			n++
		}
		if d.Version != h.Version && d.Version != to {
			n++
		}
	}
	if len(names) == 0 {
		n = 0
	}
	return n, names
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}
