package line

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// literal before an answer says that it is one, and none of the words.
const literal = "="

// everywhere are the words of every page.
func everywhere() []word {
	return []word{
		{"help", "list these words", (*face).help},
		{"again", "say the page again", (*face).repeat},
		{"who", "say who is here, who must sign and who has", (*face).who},
		{"steps", "list the steps of this ceremony", (*face).steps},
		{"log", "say the last lines of the log, newest first", (*face).log},
		{"deviation", "report what differs from the steps; it is recorded at once", (*face).deviation},
		{"abort", "stop here, and say how to end the ceremony for good", (*face).stop},
		{"stop", "stop here; the same command continues", (*face).stop},
		{"quit", "the same as stop", (*face).stop},
	}
}

// Why a ceremony ends that somebody stopped at the console.
var (
	errStopped = errors.New("stopped at the console")
	errEnd     = errors.New("end of input at the console")
)

// line takes what was typed.
func (f *face) line(l typed) {
	f.waits = false // the terminal has echoed the end of the line
	text := strings.TrimSpace(l.text)
	asked := f.asked()
	switch {
	case errors.Is(l.err, io.EOF):
		f.ends()
	case errors.Is(l.err, engine.ErrTyped):
		f.waits = true // nothing ended the line
		f.stop()
	case l.err != nil:
		f.cancel(l.err)
	case f.stopped:
	case f.really != nil:
		f.answersReally(text)
	case asked != nil && asked.answers(text):
		f.take(asked, text)
	case f.command(strings.ToLower(text)):
	case asked != nil:
		f.take(asked, text)
	case text != "":
		f.say("Nothing is asked now; this was ignored. Type help for the words.")
	}
}

// command does what a word asks for, and reports whether it is one.
func (f *face) command(line string) bool {
	for _, w := range f.words() {
		if line == w.name {
			w.do(f)
			return true
		}
	}
	return f.steer(line)
}

// words are those of what is asked, and those of every page that it has no own one for.
func (f *face) words() (all []word) {
	if p := f.asked(); p != nil {
		all = p.words()
	}
	own := len(all)
	for _, w := range everywhere() {
		if !slices.ContainsFunc(all[:own], func(o word) bool { return o.name == w.name }) {
			all = append(all, w)
		}
	}
	return all
}

func (f *face) help() {
	for _, w := range f.words() {
		if w.does != "" {
			f.say(fmt.Sprintf("  %-10s %s", w.name, w.does))
		}
	}
	if f.steers() {
		f.say(steeringHelp...)
	}
	f.say("To answer with one of these words, type " + literal + " before it. The end of input stops.")
	f.again()
}

// repeat says the page again, with its question.
func (f *face) repeat() {
	f.say(header(f.page.view), f.page.view.Why)
	f.say(f.page.said...)
	if f.ask != nil {
		f.say(f.ask.page()...)
	}
	if p := f.asked(); p != nil && p != f.ask {
		f.say(p.page()...)
	}
	if f.asked() != nil {
		f.prompt()
	}
}

func (f *face) who() {
	line := text.Present(f.page.view)
	if f.signed != nil {
		line = text.Attending(f.page.view, f.signed.r)
	}
	if line == "" {
		line = "Nobody has attended yet."
	}
	f.say(line)
	if f.signed != nil {
		f.say(signers(f.signed.r, f.signed.who)...)
	}
	f.again()
}

// steps lists the steps: when each ended, or how many minutes are planned for it.
func (f *face) steps() {
	v := f.page.view
	if v.Continues != "" {
		f.say(v.Continues)
	}
	for i, stage := range v.Steps {
		state, note := "to come", ""
		if stage.Minutes > 0 {
			note = fmt.Sprintf("%d min", stage.Minutes)
		}
		switch text.StepOf(v, i) {
		case text.StepDone:
			state, note = "done", text.Clock(stage.At)
		case text.StepNow:
			state = "now"
		}
		f.say(item(fmt.Sprintf("%2d %-8s %-7s ", i+1, state, note), stage.Title))
	}
	if planned := text.Planned(v); planned > 0 && !v.Started.IsZero() && !v.Replay && v.Ending == nil {
		span := text.Span(f.now().Sub(v.Started))
		f.say(fmt.Sprintf("This run has taken %s of about %d min. Times are UTC.", span, planned))
	}
	f.again()
}

func (f *face) log() {
	all := f.page.view.Log
	for i := len(all) - 1; i >= 0; i-- {
		f.say("  " + all[i])
	}
	f.again()
}

// ends is the end of input.
func (f *face) ends() {
	says := "End of input. Nothing was answered; the ceremony stays unfinished."
	if f.page.view.Replay {
		says = "End of input: the replay ends here."
	}
	f.say("", says)
	f.cancel(errEnd)
}

func (f *face) stop() {
	if f.page.view.Replay {
		f.confirm("Stop the replay here?", func() { f.cancel(errStopped) })
		return
	}
	f.confirm(stopQuestion+" To end this ceremony for good, run kekceremony abort then.",
		func() { f.cancel(errStopped) })
}

// What is said before a stop, and when there is none.
const (
	stopQuestion = "Stop here? Rerun the command to continue."
	notStopped   = "Not stopped."
)

// yes reports whether a line says it.
func yes(line string) bool {
	line = strings.ToLower(line)
	return line == "yes" || line == "y"
}

// no reports whether a line says it.
func no(line string) bool {
	line = strings.ToLower(line)
	return line == "no" || line == "n" || line == ""
}

// answersReally takes yes or no, and nothing else.
func (f *face) answersReally(line string) {
	if !yes(line) && !no(line) {
		f.say(yesOrNo)
		f.prompt()
		return
	}
	do := f.really
	f.really = nil
	if yes(line) {
		do()
		return
	}
	f.say(notStopped)
	f.again()
}
