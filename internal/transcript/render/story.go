package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Passage is what happened at one time, told in a sentence: one line of the log, or several that
// belong together, such as the signatures on one plan.
type Passage struct {
	At    time.Time
	Lines [2]int // first and last
	Mark  Mark
	Text  string
	Facts []Pair // in people's words, or found; without those that an earlier passage of the step has
}

// Story tells a log in order.
func Story(r transcript.Report) []Passage {
	t := &teller{r: r, told: map[string]string{}}
	for i := 0; i < len(r.Events); {
		n := t.length(i)
		if p := t.passage(r.Events[i : i+n]); p.Text != "" {
			e := r.Events[i]
			p.At, p.Lines = e.Clock(), [2]int{e.Seq, r.Events[i+n-1].Seq}
			t.all = append(t.all, p)
		}
		i += n
	}
	return t.all
}

// Sentence tells one line of a log by itself.
func Sentence(r transcript.Report, i int) string {
	e := r.Events[i]
	if line := e.Facts["line"]; line != "" && e.Kind == transcript.Noted { // of the probe
		return fmt.Sprintf("Tested: %s: %s, %s.", printable.Shown(line), printable.Shown(e.Facts["outcome"]),
			printable.Shown(e.Facts["detail"]))
	}
	if e.Kind == transcript.Deviation {
		f := func(name string) string { return printable.Shown(e.Facts[name]) }
		return fmt.Sprintf("Deviation: %s: expected %s; seen %s; decided by %s: %s.", f(transcript.FactWhat),
			f(transcript.FactExpected), f(transcript.FactSeen), f(transcript.FactBy), f(transcript.FactDecided))
	}
	t := &teller{r: r, told: map[string]string{}}
	return t.passage(transcript.Events{e}).Text
}

// teller is a story as far as it is told.
type teller struct {
	r    transcript.Report
	all  []Passage
	told map[string]string // the last value of a step's fact
}

// length is how many lines from i on belong together: those that one step writes while it gathers
// signatures, probes, or acts.
func (t *teller) length(i int) int {
	group := groupOf(t.r.Events[i])
	n := 1
	for ; group != "" && i+n < len(t.r.Events); n++ {
		if e := t.r.Events[i+n]; groupOf(e) != group || e.Kind == transcript.Plan || e.Kind == transcript.Begun {
			break
		}
	}
	return n
}

// groupOf names the lines that can be told together; empty: a line is told by itself.
func groupOf(e transcript.Event) string {
	switch e.Kind {
	case transcript.Asked, transcript.Plan, transcript.Signed, transcript.Gathered:
		return "signatures " + e.Step
	case transcript.Begun, transcript.Done:
		return "act " + e.Step
	case transcript.Noted, transcript.Found:
		if e.Facts["control"] == "" && e.Facts[transcript.FactCompared] == "" && e.Facts[transcript.FactInterrupted] == "" {
			return "look " + e.Step
		}
	}
	return ""
}

// passage tells lines that belong together.
func (t *teller) passage(es transcript.Events) Passage {
	e := es[0]
	step := printable.Line(e.Step)
	switch e.Kind {
	case transcript.Asked, transcript.Plan, transcript.Signed, transcript.Gathered:
		return signatures(es)
	case transcript.Begun, transcript.Done:
		return t.act(es)
	case transcript.Noted, transcript.Found:
		return t.look(es)
	case transcript.Opened:
		return t.opened(e)
	case transcript.Roster:
		return Passage{Text: "The roster was read: " + people(t.r.Roster)}
	case transcript.NextRoster:
		return Passage{Text: "The next roster was read: " + people(t.r.Next)}
	case transcript.Answered:
		return t.answered(e)
	case transcript.Deviation:
		return deviated(e)
	case transcript.Failed:
		return Passage{Mark: Fails, Text: "Failed: " + step + ": " + printable.Shown(e.Facts[transcript.FactError])}
	case transcript.Waiting:
		return Passage{Text: fmt.Sprintf("The run ended: %s of %s signatures were there. Missing: %s.",
			printable.Line(e.Facts[transcript.FactHave]), printable.Line(e.Facts[transcript.FactNeed]),
			printable.Line(e.Facts[transcript.FactFor]))}
	case transcript.Resumed:
		return t.resumed(e)
	case transcript.Closed:
		outcome := strings.Replace(printable.Line(e.Facts[transcript.FactOutcome]), transcript.OutcomeVoid, "given up", 1)
		return Passage{Text: "The ceremony was recorded as " + outcome + ". The log ends here; only signatures of the end " +
			"follow.", Facts: pairs(e.Facts, transcript.FactOutcome)}
	}
	return Passage{Text: string(e.Kind) + " " + step, Facts: t.fresh(e)}
}

func (t *teller) opened(e transcript.Event) Passage {
	p := Passage{Text: "The ceremony began: " + purpose(e.Facts) + "."}
	for _, name := range []string{transcript.FactPointer, transcript.FactRebuild, transcript.FactExclude} {
		if v := e.Facts[name]; v != "" {
			p.Facts = append(p.Facts, Pair{transcript.Label(name), printable.Shown(v)})
		}
	}
	return p
}

func (t *teller) resumed(e transcript.Event) Passage {
	p := Passage{Mark: Resume, Text: "Another run continued the ceremony"}
	if e.Seq > 0 {
		p.Text += ", " + after(e.Clock().Sub(t.r.Events[e.Seq-1].Clock()))
	}
	p.Text += "."
	for _, f := range pairs(e.Facts, transcript.FactTool+"_sha256_from") {
		name := map[string]string{transcript.Label(transcript.FactTool): transcript.FactTool,
			transcript.Label(transcript.FactTool + "_sha256"): transcript.FactTool + "_sha256"}[f.Name]
		if name == "" || e.Facts[name] != t.r.Opened()[name] { // the same program is nothing new
			p.Facts = append(p.Facts, f)
		}
	}
	return p
}

// act tells what was begun, done, or found done.
func (t *teller) act(es transcript.Events) Passage {
	last := es[len(es)-1]
	done, begun := acts[last.Step], beginnings[last.Step]
	if last.Step == transcript.ActDestroy && t.r.Opened()[transcript.FactOnToken] == "no" {
		done, begun = removed, remove
	}
	what := inWords(done, t.r.Opened())
	name := printable.Line(last.Step)
	switch {
	case last.Kind == transcript.Begun:
		return Passage{Text: "The program began to " + or(inWords(begun, t.r.Opened()), name) + "."}
	case last.Step == transcript.ActDestroy && t.r.Facts[transcript.FactGone] == "yes":
		what = inWords(recordedOnly, t.r.Opened())
	case what == "":
		what = "Done: " + name + "."
	}
	return Passage{Text: what, Facts: t.fresh(last)}
}

// look tells what the program saw.
func (t *teller) look(es transcript.Events) Passage {
	last := es[len(es)-1]
	text := "Noted: " + or(printable.Line(last.Step), "the run") + "."
	switch {
	case last.Facts["control"] != "":
		text = fmt.Sprintf("%s asked: %s.", printable.Shown(last.Facts["by"]), printable.Shown(last.Facts["control"]))
		return Passage{Text: text, Facts: pairs(last.Facts, "by", "control")}
	case last.Facts[transcript.FactCompared] != "":
		return compared(last.Facts)
	case last.Step == transcript.ActRewrap && last.Facts[transcript.FactRewraps] != "":
		return Passage{Text: "The re-wrap ended before every DEK was re-wrapped.", Facts: t.fresh(last)}
	case last.Facts[transcript.FactAttempt] != "":
		text = "From here on the key may be gone."
	case last.Facts[transcript.FactWait] != "":
		text = "The key may be destroyed " + transcript.Said(transcript.FactWait, last.Facts[transcript.FactWait]) +
			" after the end of this ceremony, not before."
		return Passage{Text: text, Facts: pairs(last.Facts, transcript.FactWait)}
	case last.Facts[transcript.FactInterrupted] != "":
		return Passage{Mark: Fails, Text: "The run was interrupted: " +
			printable.Shown(last.Facts[transcript.FactInterrupted])}
	case last.Kind == transcript.Found:
		text = or(inWords(looks[last.Step], t.r.Opened()), "Found: "+printable.Line(last.Step)+".")
	}
	before := slices.ContainsFunc(t.r.Events[:es[0].Seq], func(e transcript.Event) bool {
		return e.Kind == last.Kind && e.Step == last.Step
	})
	p := Passage{Text: text}
	for _, e := range es {
		p.Facts = append(p.Facts, t.fresh(e)...)
	}
	switch {
	case before && len(p.Facts) == 0:
		p.Text = "As before: " + lowered(text)
	case before:
		p.Text = "Again: " + lowered(text)
	}
	return p
}

// compared tells what a person said of a digest that was read aloud.
func compared(f transcript.Facts) Passage {
	p := Passage{Text: printable.Shown(f[transcript.FactBy]) + " compared a digest, and it matches.",
		Facts: []Pair{{"digest", groups(f[transcript.FactCompared])}}}
	if f[transcript.FactMatches] != "yes" {
		p.Mark, p.Text = Fails, printable.Shown(f[transcript.FactBy])+" compared a digest, and it does not match."
	}
	return p
}

func deviated(e transcript.Event) Passage {
	f := e.Facts
	return Passage{Mark: Deviates, Text: "Deviation: " + printable.Shown(f[transcript.FactWhat]) + ".", Facts: []Pair{
		{"expected", printable.Shown(f[transcript.FactExpected])}, {"seen", printable.Shown(f[transcript.FactSeen])},
		{"decided", printable.Shown(f[transcript.FactDecided])}, {"by", printable.Shown(f[transcript.FactBy])}}}
}

func lowered(sentence string) string { return strings.ToLower(sentence[:1]) + sentence[1:] }

// fresh are the facts of a line that steps of its subject have not recorded with the same value.
func (t *teller) fresh(e transcript.Event) (all []Pair) {
	about := subjectOf(e.Step)
	for _, f := range factsOf(e) {
		key := subjects[about].title + "\x00" + f.Name
		if t.told[key] != f.Value {
			t.told[key] = f.Value
			all = append(all, f)
		}
	}
	return all
}
