package render

import (
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// signatures tells who signed what, in one sentence.
func signatures(es transcript.Events) Passage {
	var p Passage
	var names []string
	verb := ""
	for _, e := range es {
		switch e.Kind {
		case transcript.Plan:
			p.Text = "A plan was put up for approval. "
			p.Facts = append(effects(e.Facts[transcript.FactPlan]),
				Pair{"digest of the plan", groups(e.Facts[transcript.FactSHA256])})
		case transcript.Signed:
			name := printable.Line(e.Facts[transcript.FactSigner])
			names, verb = append(names, name), did(e.Facts[transcript.FactNamespace])
			if touched := e.Facts[transcript.FactFIDO]; touched != "" {
				p.Facts = append(p.Facts, Pair{"authenticator of " + name, printable.Shown(touched)})
			}
		}
	}
	last := es[len(es)-1]
	if len(names) > 0 {
		if len(names) == 1 {
			verb = strings.Replace(verb, ", each with a", " with a", 1)
		}
		p.Text += all(names) + verb
	} else if es[0].Kind == transcript.Asked {
		p.Text = "The operators were asked to attend."
		if es[0].Facts[transcript.FactPurpose] != "" {
			p.Text = "A proof of the new keys was asked."
		}
	}
	if last.Kind == transcript.Gathered {
		p.Text = strings.TrimSpace(p.Text) + " Enough have signed."
	}
	p.Text = strings.TrimSpace(p.Text)
	return p
}

// did says what a signature of a namespace means.
func did(namespace string) string {
	switch {
	case strings.HasPrefix(namespace, string(quorum.Attend)):
		return " attended, each with a signature."
	case strings.HasPrefix(namespace, string(quorum.Approve)):
		return " approved the plan."
	case strings.HasPrefix(namespace, string(quorum.Join)):
		return " proved to hold a key of the next roster."
	}
	return " signed."
}

// effects are what a plan says it changes.
func effects(plan string) (all []Pair) {
	for line := range strings.Lines(plan) {
		text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "effect: ")
		if n, what, numbered := strings.Cut(text, " "); ok && numbered {
			all = append(all, Pair{"change " + printable.Line(n), printable.Shown(what)})
		}
	}
	return all
}
