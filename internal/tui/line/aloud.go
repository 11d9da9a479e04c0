package line

import (
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// aloud is a digest that people read aloud and compare, and how far they are. The request for their
// signatures stays open below it.
type aloud struct {
	label, digest string
	people        []string
	at            int
	no            []string // for whom it does not match
	remark        func(engine.Remark) <-chan error
	came          <-chan error
	said          engine.Comparison // that is being recorded
}

// aloudOf is the digest of a request with those who compare it; nil: there is nothing to compare.
func aloudOf(r engine.Request) *aloud {
	a := &aloud{}
	a.label, a.digest = text.Digest(r)
	for _, one := range r.Signers {
		if one.Asked {
			a.people = append(a.people, one.Name)
		}
	}
	if a.digest == "" || len(a.people) == 0 {
		return nil
	}
	return a
}

// compare begins to compare the digest of a page of signatures.
func (f *face) compare(r engine.Request) {
	a := aloudOf(r)
	if a == nil {
		f.say("There is nothing to compare on this page.")
		f.again()
		return
	}
	f.aloud, a.remark = a, f.room.Remark
	f.say(a.page()...)
	f.prompt()
}

func (a *aloud) page() []string {
	lines := []string{a.label + " digest. " + text.ReadAloud, ""}
	for i, line := range text.Aloud(a.digest, 4) {
		lines = append(lines, fmt.Sprintf("  %2d  %s   %s", i+1, line[0], line[1]))
	}
	return append(lines, a.again()...)
}

func (a *aloud) again() []string {
	return []string{a.people[a.at] + ": does all of it match? Type yes or no.",
		"  (skip: the next person; back: stop comparing)"}
}

func (a *aloud) words() []word {
	return []word{
		{"skip", "ask the next person", (*face).nextMatch},
		{"back", "stop comparing", (*face).endMatch},
	}
}

func (a *aloud) answers(string) bool { return a.came != nil }

// take takes what a person says of the digest.
func (a *aloud) take(line string) (says []string, done bool) {
	line = strings.ToLower(line)
	switch {
	case a.came != nil: // what was said is being recorded
	case line == "yes" || line == "no":
		a.said = engine.Comparison{Digest: a.digest, By: a.people[a.at], Matches: line == "yes"}
		a.came = a.remark(a.said)
	default:
		return a.again(), false
	}
	return nil, true
}

// matched goes on when what a person said is recorded.
func (f *face) matched(err error) {
	a := f.aloud
	a.came = nil
	if err != nil {
		f.say("Refused: " + err.Error())
		f.again()
		return
	}
	if !a.said.Matches {
		a.no = append(a.no, a.said.By)
	}
	f.nextMatch()
}

func (f *face) nextMatch() {
	if f.aloud.at++; f.aloud.at < len(f.aloud.people) {
		f.again()
		return
	}
	f.endMatch()
}

// endMatch says what follows, and asks again what is open.
func (f *face) endMatch() {
	if no := f.aloud.no; len(no) > 0 {
		f.say(text.Disputed(no), "Type compare to compare it again, or stop.")
	}
	f.aloud = nil
	f.again()
}

// heard is the channel of what is being recorded; nil: nothing is.
func (f *face) heard() <-chan error {
	if f.aloud == nil {
		return nil
	}
	return f.aloud.came
}
