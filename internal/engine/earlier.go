package engine

import (
	"maps"
	"slices"

	"github.com/certautopilot/kekceremony/internal/signing"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// earlier lists what was answered in earlier runs and not asked again in this one. Those who
// sign the end see it: the log alone cannot tell an answer from one that somebody wrote into both
// the store and this console's disk while nobody looked.
func (e *engine) earlier() (said []signing.Said) {
	answers := map[string]Facts{}
	var order []string
	for i, ev := range e.log.Events {
		if ev.Kind != transcript.Answered {
			continue
		}
		order = slices.DeleteFunc(order, func(step string) bool { return step == ev.Step })
		if i < e.found {
			answers[ev.Step], order = ev.Facts, append(order, ev.Step)
		}
	}
	for _, step := range order {
		for _, name := range slices.Sorted(maps.Keys(answers[step])) {
			said = append(said, signing.Said{Name: name, Value: answers[step][name]})
		}
	}
	return said
}
