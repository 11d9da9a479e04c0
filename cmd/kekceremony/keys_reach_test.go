package main_test

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// reach is in how many sequences keys stood on a page, by its name, and how many there were of each face.
type reach struct {
	mu           sync.Mutex
	pages, faces map[string]int
}

// onStep is the header of a page.
var onStep = regexp.MustCompile(`step [0-9]+ of [0-9]+  ([a-z-]+) ─`)

// besides are pages and questions that are no steps, by what they say.
var besides = map[string]string{
	"home": "q quit", "below a command": "Press Enter for the home page", "PIN": "PIN of token", "stop": "Stop here?",
	"a failed step": "Decide together", "a wait for the fleet": "no live process", "a paused re-wrap": "state      paused",
	"who asks": "who asks?", "later": "End this run, and sign later?", "deviation": "What did you expect?",
	"aloud": "One person reads the words aloud", "help": "Keys of this page", "steps": "Steps of this ceremony",
	"room": "The room", "log": "The log so far", "line mode": "Nothing is asked now", "the end": "enter close",
}

// add notes the pages of a sequence.
func (r *reach) add(p keyPlace, said []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	here := map[string]bool{}
	for _, m := range onStep.FindAllSubmatch(said, -1) {
		here[p.kind()+" "+string(m[1])] = true
	}
	for name, says := range besides {
		if bytes.Contains(said, []byte(says)) {
			here[name] = true
		}
	}
	for name := range here {
		r.pages[name]++
	}
	r.faces[p.face]++
}

// stays are steps that wait for no person, and yet stay: a re-wrap that is slow. All others of that sort read or write
// something small: a key that meets them is typed before the next page, which takes none that is.
var stays = []string{"re-wrap"}

// report says what was reached, and demands all of it of a long test.
func (r *reach) report(t *testing.T, sequences int) {
	t.Helper()
	want := slices.Collect(maps.Keys(besides))
	for _, kind := range []string{"install", "rotate", "disable", "destroy"} {
		c, _ := steps.Named(kind)
		for _, step := range c.Steps(engine.Facts{transcript.FactOnToken: "no", transcript.FactGenerate: "yes"}) {
			if step.Ask != nil || step.Gather != nil || step.Holds || slices.Contains(stays, step.Name) {
				want = append(want, kind+" "+step.Name)
			}
		}
		want = append(want, kind+" finals")
	}
	for _, name := range want {
		if r.pages[name] == 0 && sequences >= long {
			t.Errorf("no sequence reached %s", name)
		}
	}
	t.Logf("sequences: %v\nreached: %v", r.faces, r.pages)
}
