package steps

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

// bound are the facts of a provider that a plan binds when they are known.
var bound = []string{"provider", "module", "module_sha256", "token", "serial", "iv", "identity_sha256", "secrets_file", "host"}

// derive writes the plan of a gather from the world as it is now. The same
// world gives the same bytes; counts and times are not in it.
func (e *engine) derive(ctx context.Context, g *Gather) (plan, error) {
	about := map[string]string{}
	if e.site.Provider != nil { // a change of people touches no token
		var err error
		if about, err = e.site.Provider.Describe(ctx); err != nil {
			return plan{}, err
		}
	}
	facts := e.facts()
	var b strings.Builder
	say := func(name, value string) { fmt.Fprintf(&b, "%s: %s\n", name, value) }
	b.WriteString("kekceremony plan v1\n")
	for _, name := range []string{transcript.FactMode, transcript.FactChain, transcript.FactCeremony, transcript.FactKind, transcript.FactFrom, transcript.FactTo} {
		if v, ok := facts[name]; ok {
			say(name, v)
		}
	}
	for _, name := range bound {
		if v, ok := about[name]; ok {
			say(name, v)
		}
	}
	say(transcript.FactRoster+"_sha256", e.site.Roster.Digest())
	say("catalogue", e.site.Catalogue.String())
	if next := facts[transcript.FactNextRoster+"_sha256"]; next != "" {
		say(transcript.FactNextRoster+"_sha256", next)
	}
	to := facts.Version(transcript.FactTo)
	if to != 0 {
		say("key", fmt.Sprintf("%s id %s", e.site.Name(to).Label, e.site.Name(to).HexID()))
	}
	keks, err := e.site.Store.KEKs(ctx)
	if err != nil {
		return plan{}, err
	}
	for _, k := range keks {
		// The version that this plan makes is not bound by what it will be.
		if k.Version != to || !slices.Contains(g.Acts, stepGenerate) {
			say("canary", fmt.Sprintf("%d %s", k.Version, k.Canary.SHA256))
		}
	}
	for _, d := range moved(e.site, about) {
		say("deviation", fmt.Sprintf("%s: was %s, is %s", d.What, d.Expected, d.Seen))
	}
	if s := facts[transcript.FactSilent]; s != "" {
		say("processes accepted as gone", s)
	}
	p := plan{Acts: g.Acts, Effects: g.Effects}
	for _, name := range g.Acts {
		p.Effects = append(p.Effects, e.step(name).Act.Plan(e.site, facts)...)
	}
	for i, f := range p.Effects {
		say("effect", fmt.Sprintf("%d %s: %s; undo: %s", i+1, f.Verb, f.Object, f.Undo))
	}
	p.Text = b.String()
	return p, nil
}
