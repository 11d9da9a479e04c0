package line

import (
	"fmt"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// aloud is a digest that people read aloud and compare, and how far they are.
type aloud struct {
	digest string
	people []string
	at     int
	no     []string // for whom it does not match
	came   <-chan error
	said   engine.Comparison // that is being recorded
}

// compare begins to compare the digest of a page of signatures.
func (f *face) compare(r engine.Request) {
	label, digest := text.Digest(r)
	a := &aloud{digest: digest}
	for _, one := range r.Signers {
		if one.Asked {
			a.people = append(a.people, one.Name)
		}
	}
	if digest == "" || len(a.people) == 0 {
		f.say("There is nothing to compare on this page.")
		f.again()
		return
	}
	f.aloud = a
	f.say(label+" digest. "+text.ReadAloud, "")
	for i, line := range text.Aloud(digest, 4) {
		f.say(fmt.Sprintf("  %2d  %s   %s", i+1, line[0], line[1]))
	}
	f.asksMatch()
}

func (f *face) asksMatch() {
	f.say(f.aloud.people[f.aloud.at]+": does all of it match? Type yes or no.",
		"  (skip: the next person; back: stop comparing)")
	f.prompt()
}

// matches takes what a person says of the digest.
func (f *face) matches(line string) {
	a := f.aloud
	switch line {
	case "yes", "no":
		a.said = engine.Comparison{Digest: a.digest, By: a.people[a.at], Matches: line == "yes"}
		a.came = f.room.Remark(a.said)
	case "skip":
		f.nextMatch()
	case "back":
		f.endMatch()
	default:
		f.asksMatch()
	}
}

// matched goes on when what a person said is recorded.
func (f *face) matched(err error) {
	a := f.aloud
	a.came = nil
	if err != nil {
		f.say("Refused: " + err.Error())
		f.asksMatch()
		return
	}
	if !a.said.Matches {
		a.no = append(a.no, a.said.By)
	}
	f.nextMatch()
}

func (f *face) nextMatch() {
	if f.aloud.at++; f.aloud.at < len(f.aloud.people) {
		f.asksMatch()
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
