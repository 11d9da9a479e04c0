package rewrap

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
	"github.com/certautopilot/kekceremony/internal/store"
)

// noVersion is one that no envelope is at: a page of what is not at it has everything.
const noVersion = kek.MaxVersion + 1

// opening is a look at every envelope.
type opening struct {
	s        store.Envelopes
	p        provider.Provider
	name     func(kek.Version) kek.Name
	sample   int
	progress func(int)
	dek      *secret.Buffer
	n        int
	failed   []string
	seen     map[string]int // by place and version
}

// OpenAll unwraps every envelope with the key of its version, or so many of each place at each
// version, and returns how many it did. Nothing is written. It returns ErrUnopened, with the names
// of the first, when no key opens some.
func OpenAll(
	ctx context.Context, s store.Envelopes, p provider.Provider, cat envelope.Catalogue, name func(kek.Version) kek.Name,
	sample int, progress func(int),
) (int, error) {
	dek, err := secret.New(kek.Size)
	if err != nil {
		return 0, err
	}
	defer dek.Wipe()
	o := opening{s: s, p: p, name: name, sample: sample, progress: progress, dek: dek, seen: map[string]int{}}
	for _, c := range cat.Collections() {
		if err := o.collection(ctx, c); err != nil {
			return o.n, err
		}
	}
	if len(o.failed) > 0 {
		return o.n, fmt.Errorf("%w: %s", ErrUnopened, firstOf(o.failed))
	}
	return o.n, nil
}

func (o *opening) collection(ctx context.Context, c envelope.Collection) error {
	var after any
	for {
		docs, err := o.s.Page(ctx, c, noVersion, after, maxPage)
		if err != nil || len(docs) == 0 {
			return err
		}
		for _, d := range docs {
			for _, h := range d.Envelopes {
				if err := o.open(ctx, c, d, h); err != nil {
					return err
				}
			}
		}
		o.progress(o.n)
		after = docs[len(docs)-1].ID
	}
}

func (o *opening) open(ctx context.Context, c envelope.Collection, d store.Document, h store.Held) error {
	of := fmt.Sprintf("%s.%s %d", c.Name, envelope.PlaceOf(h.Path), h.Version)
	if o.seen[of]++; o.sample > 0 && o.seen[of] > o.sample {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	by := o.name(h.Version)
	err := o.p.Unwrap(ctx, by.To(boundTo(by.Chain, c, d, h)), h.WrappedDEK, o.dek.Room()[:kek.Size])
	secret.Zero(o.dek.Room()[:kek.Size])
	if provider.Lost(err) || errors.Is(err, provider.ErrBusy) || ctx.Err() != nil {
		return fmt.Errorf("open %s: %w", nameOf(c, d, h), errors.Join(err, ctx.Err()))
	}
	if err != nil {
		o.failed = append(o.failed, nameOf(c, d, h))
	}
	o.n++
	return nil
}
