package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Report makes a document of a verified bundle, or of one that err says is not good. Its first
// page says what was held, where, when and by whom, and what deviated; then it tells what
// happened, and what was found, each once.
func Report(r transcript.Report, err error) Document {
	o := r.Opened()
	d := Document{
		Title:  fmt.Sprintf("Ceremony %s: %s", or(o[transcript.FactCeremony], "?"), or(o[transcript.FactKind], "?")),
		Footer: fmt.Sprintf("ceremony %s, final digest %s", o[transcript.FactCeremony], or(r.FinalSum, "none")),
		Notice: notice(r, err),
		Lead:   lead(r, err),
	}
	d.Sections = []Section{deviations(r), participants(r), digests(r)}
	if line := timelineOf(r); line != nil {
		d.Sections = append(d.Sections, Section{Title: "Timeline", Picture: line})
	}
	d.Sections = append(d.Sections, told(r))
	d.Sections = append(d.Sections, found(r)...)
	d.Sections = append(d.Sections, plans(r)...)
	d.Sections = append(d.Sections, judged(r), checking(r))
	return d
}

// lead is what the first page says before anything else.
func lead(r transcript.Report, err error) []Pair {
	o := r.Opened()
	if o == nil {
		return nil
	}
	all := []Pair{{"purpose", purpose(o)}, {"place", "not recorded"}}
	for _, e := range r.Events {
		if e.Step == "place" && e.Kind == transcript.Answered {
			all[1].Value = printable.Shown(or(e.Facts["place"], "not recorded"))
		}
	}
	runs := 1
	for _, e := range r.Events {
		if e.Kind == transcript.Resumed {
			runs++
		}
	}
	from, to := r.Events[0].Clock(), r.Events.End()
	duration := printable.Span(max(0, to.Sub(from)))
	if runs > 1 {
		duration += fmt.Sprintf(", in %d runs", runs)
	}
	return append(all, Pair{"date", dates(from, to)}, Pair{"duration", duration},
		Pair{"store", printable.Shown(o[transcript.FactStore])}, Pair{"chain", printable.Line(o[transcript.FactChain])},
		Pair{"mode", printable.Line(o[transcript.FactMode])}, Pair{"outcome", outcome(r, err)})
}

// outcome is how the ceremony ended, and whether the bundle is good.
func outcome(r transcript.Report, err error) string {
	return or(printable.Line(r.Outcome), "not closed") + "; the bundle is " + string(transcript.StandingOf(err))
}

func notice(r transcript.Report, err error) string {
	var parts []string
	if r.Opened()[transcript.FactMode] == string(quorum.Rehearsal) {
		parts = append(parts, "REHEARSAL: temporary parts, not valid in production.")
	}
	switch standing := transcript.StandingOf(err); standing {
	case transcript.Bad:
		parts = append(parts, "BAD: do not rely on this transcript. "+err.Error())
	case transcript.Incomplete:
		parts = append(parts, "INCOMPLETE: "+err.Error())
	case transcript.Void:
		parts = append(parts, fmt.Sprintf("VOID: it is outside every chain. Given up by %s: %s.",
			printable.Shown(r.Facts[transcript.FactOperator]), printable.Shown(r.Facts[transcript.FactReason])))
	}
	if r.Aborted() {
		parts = append(parts, "This ceremony was aborted.")
	}
	return strings.Join(parts, " ")
}

func deviations(r transcript.Report) Section {
	s := Section{Title: "Deviations", Head: []string{"line", "what", "expected", "seen", "decided", "by"}}
	for _, e := range r.Deviations {
		f := e.Facts
		s.Rows = append(s.Rows, []string{fmt.Sprint(e.Seq), printable.Shown(f[transcript.FactWhat]),
			printable.Shown(f[transcript.FactExpected]), printable.Shown(f[transcript.FactSeen]),
			printable.Shown(f[transcript.FactDecided]), printable.Shown(f[transcript.FactBy])})
	}
	said := otherVerdicts(r)
	switch {
	case len(s.Rows) == 0 && len(said) > 0:
		s.Text = append([]string{"None was written down before the end."}, said...)
	case len(s.Rows) == 0:
		s.Text = []string{"None was written down."}
	default:
		s.Text = said
	}
	return s
}

// otherVerdicts are those who signed another verdict than followed, each with what the person said.
func otherVerdicts(r transcript.Report) (lines []string) {
	for _, m := range r.Roster.Members {
		if f, ok := r.Finals[m.Name]; ok && f.Verdict != transcript.Followed {
			lines = append(lines, m.Name+" signed the end: "+f.Shown())
		}
	}
	return lines
}

func participants(r transcript.Report) Section {
	s := Section{Title: "Participants", Head: []string{"name", "key", "may", "attended", "approved", "at the end"},
		Text: []string{fmt.Sprintf("%d of those who may approve must sign.", r.Roster.M)}}
	if r.Opened() == nil {
		return s
	}
	for _, m := range r.Roster.Members {
		attended, approved := "", ""
		for _, e := range r.Events {
			if e.Kind != transcript.Signed || e.Facts[transcript.FactSigner] != m.Name {
				continue
			}
			when := strings.TrimSpace(moment(r, e) + " " + printable.Shown(e.Facts[transcript.FactFIDO]))
			switch {
			case strings.HasPrefix(e.Facts[transcript.FactNamespace], string(quorum.Attend)):
				attended = when
			case strings.HasPrefix(e.Facts[transcript.FactNamespace], string(quorum.Approve)):
				approved = strings.TrimPrefix(approved+"; "+when, "; ")
			}
		}
		may := "witness"
		if m.May(quorum.Mode(r.Opened()[transcript.FactMode]).Namespace(quorum.Approve)) {
			may = "approve"
		}
		s.Rows = append(s.Rows, []string{
			m.Name, m.Fingerprint(), may,
			or(attended, "no"), or(approved, "no"), atEnd(r, m.Name),
		})
	}
	return s
}

// atEnd is what somebody signed of the end. Who did not attend in the last run was not asked for it.
func atEnd(r transcript.Report, name string) string {
	if r.Outcome != "" && !r.Attends(name) {
		return or(r.Finals[name].Shown(), "not here")
	}
	return or(r.Finals[name].Shown(), "not signed")
}

func digests(r transcript.Report) Section {
	o := r.Opened()
	prev := transcript.NoDigest
	if len(r.Events) > 0 {
		prev = r.Events[0].Prev
	}
	return Section{Title: "Digests", Head: []string{"of", "SHA-256"}, Rows: [][]string{
		{"final.txt, as on paper", groups(r.FinalSum)},
		{"the final.txt before", groups(prev)},
		{"roster", groups(r.Roster.Digest())},
		{"roster from the next ceremony on", groups(r.NextRoster())},
		{"program, " + o["tool"], groups(o["tool_sha256"])},
		{"script of this ceremony", groups(o["script_sha256"])},
	}}
}

// moment is when a line was written: the day stands on the first page if there was but one.
func moment(r transcript.Report, e transcript.Event) string {
	from, to := r.Events[0].Clock().UTC(), r.Events.End().UTC()
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		return e.Clock().UTC().Format(time.TimeOnly)
	}
	return e.Clock().UTC().Format(time.DateTime)
}

// groups parts a digest for people who compare it.
func groups(digest string) string {
	if digest == "" {
		return "none"
	}
	return transcript.Groups(digest)
}

func judged(r transcript.Report) Section {
	s := Section{Title: "Rules", Head: []string{"rule", "standing", "detail"}}
	for _, j := range r.Judgements {
		s.Rows = append(s.Rows, []string{string(j.Rule), string(j.Standing), or(printable.Text(j.Detail), "-")})
	}
	return s
}

// plans are what was to be done, and who signed it.
func plans(r transcript.Report) (all []Section) {
	for _, e := range r.Events {
		if e.Kind != transcript.Plan {
			continue
		}
		var names []string
		for _, s := range r.Events[e.Seq:] {
			if s.Kind == transcript.Plan && s.Seq != e.Seq && s.Step == e.Step {
				break
			}
			if s.Kind == transcript.Signed && s.Step == e.Step {
				names = append(names, s.Facts[transcript.FactSigner])
			}
		}
		all = append(all, Section{Title: fmt.Sprintf("Plan of line %d", e.Seq), Code: e.Facts[transcript.FactPlan],
			Text: []string{"Digest " + groups(e.Facts[transcript.FactSHA256]) + ". Signed by " +
				or(strings.Join(names, ", "), "nobody") + "."}})
	}
	return all
}

// told is what happened, in order. Its facts stand by subject.
func told(r transcript.Report) Section {
	s := Section{Title: "What happened", Chapter: true, Head: []string{"line", "time", "what"}}
	day := ""
	for _, p := range Story(r) {
		lines := fmt.Sprint(p.Lines[0])
		if p.Lines[1] != p.Lines[0] {
			lines += fmt.Sprintf(" to %d", p.Lines[1])
		}
		when := p.At.UTC().Format(time.TimeOnly)
		if d := p.At.UTC().Format(time.DateOnly); d != day {
			day, when = d, d+" "+when
		}
		s.Rows = append(s.Rows, []string{lines, when, p.Text})
		s.Marks = append(s.Marks, p.Mark)
	}
	return s
}

// found is what people answered and what the program saw and did, by subject. What a step
// recorded again with the same value stands once.
func found(r transcript.Report) (all []Section) {
	t := &teller{r: r, told: map[string]string{}}
	rows := make([][][]string, len(subjects))
	for _, e := range r.Events {
		switch e.Kind {
		case transcript.Answered, transcript.Found, transcript.Noted, transcript.Done:
			i := subjectOf(e.Step)
			for _, f := range t.fresh(e) {
				rows[i] = append(rows[i], []string{f.Name, f.Value, fmt.Sprint(e.Seq)})
			}
		}
	}
	for i, s := range subjects {
		if len(rows[i]) > 0 {
			all = append(all, Section{Title: s.title, Head: []string{"what", "recorded", "line"}, Rows: rows[i],
				Facts: true})
		}
	}
	return all
}

func checking(r transcript.Report) Section {
	return Section{Title: "To check it", Text: []string{
		"Times are the console's clock, as it claims. This document proves nothing: the bundle does."},
		Code: "kekceremony transcript verify " + printable.Text(r.Bundle.Name) + "\nsha256sum " +
			printable.Text(r.Bundle.Name) + "/final.txt\n"}
}
