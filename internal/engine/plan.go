package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/transcript"
)

// plan is what an approval binds: its text, the acts it covers, and their
// effects with today's estimates.
type plan struct {
	Text    string
	Acts    []string
	Effects []Effect
}

func (p plan) digest() string { return transcript.Digest([]byte(p.Text)) }

// derive writes the plan of a gather from the world as it is now. The same
// world gives the same bytes; counts and times are not in it.
func (e *engine) derive(ctx context.Context, g *Gather) (plan, error) {
	facts := e.facts()
	binds, err := e.Binds(ctx, e.site, facts, g.Acts)
	if err != nil {
		return plan{}, err
	}
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%s: %s\n", name, value) }
	b.WriteString("kekceremony plan v1\n")
	for _, name := range []string{transcript.FactMode, transcript.FactChain, transcript.FactCeremony, transcript.FactKind,
		transcript.FactFrom, transcript.FactTo, transcript.FactVersion} {
		if v, ok := facts[name]; ok {
			line(name, v)
		}
	}
	for _, d := range binds {
		line(d.Name, d.Value)
	}
	p := plan{Acts: g.Acts, Effects: slices.Clone(g.Effects)}
	for _, name := range g.Acts {
		p.Effects = append(p.Effects, e.step(name).Act.Plan(e.site, facts)...)
	}
	for i, f := range p.Effects {
		line("effect", fmt.Sprintf("%d %s: %s; undo: %s", i+1, f.Verb, f.Object, f.Undo))
	}
	p.Text = b.String()
	return p, nil
}
