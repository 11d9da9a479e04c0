// Package text is what every face of a ceremony says: texts and rules of a page without
// colour and keys, so that the wizard and line mode say the same.
package text

import (
	"errors"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Ceremony is the ceremony with its versions.
func Ceremony(v engine.View) string {
	if v.Aborts {
		v.Aborts = false
		return "abort of " + Ceremony(v)
	}
	switch {
	case v.From > 0:
		return fmt.Sprintf("%s %d -> %d", v.Kind, v.From, v.To)
	case v.To > 0 && v.Kind != transcript.KindInstall:
		return fmt.Sprintf("%s version %d", v.Kind, v.To)
	}
	return v.Kind
}

// Place says where in the ceremony a page is.
func Place(v engine.View) string {
	switch {
	case v.Ending != nil:
		return "done"
	case v.Of > 0:
		return fmt.Sprintf("step %d of %d", v.N, v.Of)
	}
	return ""
}

// Present says who is in the room and how many must sign; empty before that is known.
func Present(v engine.View) string {
	quorum := "quorum " + v.Quorum
	switch {
	case v.Quorum == "":
		return ""
	case v.Attended == "" && v.Everybody:
		return fmt.Sprintf("Nobody attends yet (%s needs everybody)   %s", v.Kind, quorum)
	case v.Attended == "":
		return "Nobody attends yet   " + quorum
	case v.Earlier:
		return fmt.Sprintf("Attended an earlier run: %s   %s", v.Attended, quorum)
	}
	return fmt.Sprintf("In the room: %s   %s", v.Attended, quorum)
}

// Attending says who has attended so far, while attendance is signed; else it is Present.
func Attending(v engine.View, r engine.Request) string {
	var names []string
	for _, s := range r.Signers {
		if s.Signed {
			names = append(names, s.Name)
		}
	}
	if r.Purpose != engine.Attend || len(names) == 0 {
		return Present(v)
	}
	return fmt.Sprintf("Attending so far: %s   quorum %s", strings.Join(names, ", "), v.Quorum)
}

// Read is what a page waits for that people must see.
const Read = "Press Enter to continue once everybody has read this."

// ReadOn is what such a page waits for while its end is out of sight.
const ReadOn = "This page continues: press Enter for the rest."

// Marks of a line of the probe.
var Marks = map[engine.Outcome]string{engine.Trying: "[>>]", engine.Passed: "[ok]", engine.Failed: "[NO]"}

// Failed heads why a step was not done. What somebody interrupted, nobody refused.
func Failed(f engine.Failure) string {
	if errors.Is(f.Err, engine.ErrTyped) {
		return "Not done"
	}
	return "Refused"
}

// Advice is what people can do about a failed step.
func Advice(f engine.Failure) string {
	switch {
	case f.Changed:
		return "Nothing is written yet. To begin again with what is there now, stop, and run kekceremony abort. To " +
			"continue with what this ceremony began with, report a deviation: your reason is recorded, and is part of " +
			"what you sign."
	case f.Deviation != nil:
		return "This is in the transcript. Try the step again, stop, or continue with a deviation: your reason is " +
			"recorded, and is part of what you sign."
	case f.PIN:
		return "The refusal is in the transcript, the PIN is not. Try again, or stop and rerun the command later."
	case f.Lost:
		return "This is in the transcript, and nothing is lost. Reconnect the token if it was removed. Try again (PIN " +
			"and probe first), or stop and rerun the command."
	}
	return "This is in the transcript. Try again, or stop and rerun the command later."
}
