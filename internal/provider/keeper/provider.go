package keeper

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// ask is a call whose answer is an Answer.
func (p *Provider) ask(ctx context.Context, method string, r Request, deadline time.Duration) (Answer, error) {
	p.call++
	r.Call = p.call
	var a Answer
	if err := p.do(ctx, method, r, &a, deadline); err != nil {
		return a, err
	}
	return a, settled(ctx, a.Fault)
}

// settled is what came of a call. One that was called off ends as its context did.
func settled(ctx context.Context, f *Fault) error {
	err := f.err()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Describe implements provider.Provider.
func (p *Provider) Describe(ctx context.Context) (map[string]string, error) {
	a, err := p.ask(ctx, "Describe", Request{}, p.deadline)
	about := p.cleaned(a.About)
	if err == nil {
		maps.Copy(about, p.pinned)
	}
	return about, err
}

// cleaned drops what no provider reports, and makes the rest printable.
func (p *Provider) cleaned(facts map[string]string) map[string]string {
	out := make(map[string]string, len(facts))
	for name, value := range facts {
		if slices.Contains(p.facts, name) {
			out[name] = printable.Again(value)
		}
	}
	return out
}

// Probe implements provider.Provider.
func (p *Provider) Probe(ctx context.Context, report func(provider.Verdict)) error {
	if _, err := p.ask(ctx, "Probe", Request{}, p.deadline); err != nil {
		return err
	}
	for {
		var a Answer
		if err := p.do(ctx, "Verdict", Request{}, &a, p.deadline); err != nil {
			return err
		}
		if a.Verdict == nil {
			return settled(ctx, a.Fault)
		}
		report(provider.Verdict{
			Line:    printable.Again(a.Verdict.Line),
			Outcome: a.Verdict.Outcome,
			Detail:  printable.Again(a.Verdict.Detail),
		})
	}
}

// Ours implements provider.Provider.
func (p *Provider) Ours(ctx context.Context) ([]string, error) {
	a, err := p.ask(ctx, "Ours", Request{}, p.deadline)
	for i := range a.Names {
		a.Names[i] = printable.Again(a.Names[i])
	}
	return a.Names, err
}

// Find implements provider.Provider.
func (p *Provider) Find(ctx context.Context, n kek.Name) (provider.Key, error) {
	a, err := p.ask(ctx, "Find", Request{Name: n}, p.deadline)
	return provider.Key{Name: n, Attributes: p.cleaned(a.Key.Attributes), Doubt: a.Key.Doubt.err()}, err
}

// Generate implements provider.Provider.
func (p *Provider) Generate(ctx context.Context, n kek.Name) error {
	_, err := p.ask(ctx, "Generate", Request{Name: n}, p.deadline)
	return err
}

// Destroyable implements provider.Provider.
func (p *Provider) Destroyable(ctx context.Context, n kek.Name) error {
	_, err := p.ask(ctx, "Destroyable", Request{Name: n}, p.deadline)
	return err
}

// Destroy implements provider.Provider.
func (p *Provider) Destroy(ctx context.Context, n kek.Name) error {
	_, err := p.ask(ctx, "Destroy", Request{Name: n}, p.deadline)
	return err
}

// Search implements provider.Provider.
func (p *Provider) Search(ctx context.Context, n kek.Name) ([]provider.Searched, error) {
	a, err := p.ask(ctx, "Search", Request{Name: n}, p.deadline)
	for i := range a.Searched {
		a.Searched[i].Where = printable.Again(a.Searched[i].Where)
	}
	return a.Searched, err
}

// Wrap implements provider.Provider. The value passes through this process: it is for
// canaries, which are no DEKs.
func (p *Provider) Wrap(ctx context.Context, by kek.Name, dek []byte) ([]byte, error) {
	a, err := p.ask(ctx, "Wrap", Request{Name: by, Bytes: dek}, p.deadline)
	return a.Bytes, err
}

// Unwrap implements provider.Provider, for canaries as Wrap is.
func (p *Provider) Unwrap(ctx context.Context, by kek.Name, wrapped, into []byte) error {
	a, err := p.ask(ctx, "Unwrap", Request{Name: by, Bytes: wrapped}, p.deadline)
	defer secret.Zero(a.Bytes)
	if err == nil && copy(into, a.Bytes) != kek.Size {
		err = errMalformed
	}
	return err
}

// perCall is how many items are re-wrapped in one call: all of them have one deadline. It is a page of the largest
// size, which no token gets that takes a second for it. Between two calls each process waits for a processor.
const perCall = 1024

// Rewrap implements provider.Provider: no DEK passes through this process.
func (p *Provider) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	var all []provider.Rewrapped
	for some := range slices.Chunk(items, perCall) {
		out, err := p.rewrap(ctx, some, to)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = out
			continue
		}
		all = append(all, out...)
	}
	return all, ctx.Err()
}

func (p *Provider) rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	p.call++
	var out Rewrapped
	b := pack(p.call, items, to)
	b.Steady = p.steady
	if err := p.do(ctx, "Rewrap", b, &out, p.deadline); err != nil {
		return nil, fmt.Errorf("re-wrap with %s: %w", to.Label, err)
	}
	p.workers.Store(printable.Again(out.Workers))
	if err := settled(ctx, out.Fault); err != nil {
		return nil, err
	}
	return out.unpack()
}

// Steady implements provider.Parallel.
func (p *Provider) Steady(on bool) { p.steady = on }

// Workers implements provider.Parallel.
func (p *Provider) Workers() string {
	s, _ := p.workers.Load().(string) // none before the first batch
	return s
}
