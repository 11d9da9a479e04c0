package render

import (
	"fmt"
	"maps"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// answered tells what people answered. Answers that are given again take the place of those before.
func (t *teller) answered(e transcript.Event) Passage {
	text := or(asks[e.Step], "People answered: "+printable.Line(e.Step)+".")
	before, again := t.answeredBefore(e)
	switch {
	case again && maps.Equal(before.Facts, e.Facts):
		text = fmt.Sprintf("Again, with the same answers as in line %d: %s", before.Seq, lowered(text))
	case again:
		text = fmt.Sprintf("Again: %s These answers replace those of line %d.", lowered(text), before.Seq)
	}
	return Passage{Text: text, Facts: t.fresh(e)}
}

// answeredBefore is the last line before e with answers to the same questions.
func (t *teller) answeredBefore(e transcript.Event) (before transcript.Event, ok bool) {
	for _, other := range t.r.Events {
		if other.Seq < e.Seq && other.Kind == e.Kind && other.Step == e.Step {
			before, ok = other, true
		}
	}
	return before, ok
}
