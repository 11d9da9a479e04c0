package transcripttest

import (
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/transcript"
)

// What a log comes to is written here a second time, by docs/transcript-format.md, so
// that a mistake of transcript.State is seen, and for drafts that it refuses.

// Fold joins the facts of all lines that change one; the later wins.
func Fold(events transcript.Events) transcript.Facts {
	all := transcript.Facts{}
	for _, e := range events {
		switch e.Kind {
		case transcript.Opened, transcript.Roster, transcript.NextRoster, transcript.Answered, transcript.Found,
			transcript.Gathered, transcript.Done:
			for name, value := range e.Facts {
				if belongs(e.Kind, name) {
					all[name] = value
				}
			}
		}
	}
	return all
}

// belongs says of the facts that a draft may misplace whether a kind of line tells them.
func belongs(kind transcript.Kind, name string) bool {
	switch name {
	case "roster", "roster_sha256":
		return kind == transcript.Roster
	case "next_roster":
		return kind == transcript.NextRoster
	case "next_roster_sha256":
		return kind == transcript.NextRoster || kind == transcript.Done
	case "attended":
		return kind == transcript.Gathered
	}
	return true
}

// core is final.txt of a draft that is closed.
func (d *Draft) core() ([]byte, bool) {
	last := d.Events[len(d.Events)-1]
	if last.Kind != transcript.Closed {
		return nil, false
	}
	opened, facts := d.Events[0].Facts, Fold(d.Events)
	next, deviations := facts["roster_sha256"], 0
	for _, e := range d.Events {
		if sum := e.Facts["next_roster_sha256"]; e.Kind == transcript.Done && sum != "" {
			next = sum
		}
		if e.Kind == transcript.Deviation {
			deviations++
		}
	}
	var b strings.Builder
	b.WriteString("kekceremony final v1\n")
	for _, pair := range [][2]string{
		{"chain", opened["chain"]}, {"ceremony", opened["ceremony"]}, {"kind", opened["kind"]}, {"mode", opened["mode"]},
		{"events", fmt.Sprint(len(d.Events))}, {"head", last.Head()}, {"roster", facts["roster_sha256"]},
		{"next-roster", next},
		{"deviations", fmt.Sprint(deviations)}, {"outcome", last.Facts["outcome"]}, {"attended", facts["attended"]},
	} {
		fmt.Fprintf(&b, "%s: %s\n", pair[0], pair[1])
	}
	return []byte(b.String()), true
}

// Last is the last of the events for which is holds.
func Last(events transcript.Events, is func(transcript.Event) bool) (transcript.Event, bool) {
	for i := len(events) - 1; i >= 0; i-- {
		if is(events[i]) {
			return events[i], true
		}
	}
	return transcript.Event{}, false
}

// note is void.txt of a draft that was given up.
func (d *Draft) note() ([]byte, bool) {
	last := d.Events[len(d.Events)-1]
	opened, facts := d.Events[0].Facts, Fold(d.Events)
	text := fmt.Sprintf("kekceremony void v1\nchain: %s\nceremony: %s\nkind: %s\nmode: %s\nevents: %d\nhead: %s\n"+
		"time: %s\noperator: %s\nreason: %s\nattended: %s\n", opened["chain"], opened["ceremony"], opened["kind"],
		opened["mode"], len(d.Events), last.Head(), last.Time, facts["operator"], facts["reason"], facts["attended"])
	return []byte(text), last.Kind == transcript.Closed && last.Facts["outcome"] == "void"
}
