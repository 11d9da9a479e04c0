package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Report makes a document of a verified bundle, or of one that err says is not good:
// deviations, participants and digests first.
func Report(r transcript.Report, err error) Document {
	o := r.Opened()
	d := Document{
		Title:  fmt.Sprintf("Ceremony %s: %s", or(o[transcript.FactCeremony], "?"), or(o[transcript.FactKind], "?")),
		Footer: fmt.Sprintf("ceremony %s, final digest %s", o[transcript.FactCeremony], or(r.FinalSum, "none")),
		Notice: notice(r, err),
	}
	d.Sections = []Section{deviations(r), participants(r), digests(r), judged(r), answers(r)}
	d.Sections = append(d.Sections, plans(r)...)
	d.Sections = append(d.Sections, found(r), log(r), checking(r))
	return d
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
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
		s.Rows = append(s.Rows, []string{fmt.Sprint(e.Seq), f["what"], printable.Shown(f["expected"]),
			printable.Shown(f["seen"]), printable.Shown(f["decided"]), f["by"]})
	}
	if len(s.Rows) == 0 {
		s.Text = []string{"None was written down."}
	}
	return s
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
			when := strings.TrimSpace(e.Time + " " + e.Facts[transcript.FactFIDO])
			switch {
			case strings.HasPrefix(e.Facts["namespace"], string(quorum.Attend)):
				attended = when
			case strings.HasPrefix(e.Facts["namespace"], string(quorum.Approve)):
				approved = strings.TrimSpace(approved + "\n" + when)
			}
		}
		may := "attend, sign the end"
		if m.May(quorum.Mode(r.Opened()[transcript.FactMode]).Namespace(quorum.Approve)) {
			may = "approve"
		}
		s.Rows = append(s.Rows, []string{
			m.Name, m.Fingerprint(), may,
			or(attended, "no"), or(approved, "no"), or(string(r.Finals[m.Name]), "not signed"),
		})
	}
	return s
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
		{"chain", groups(o[transcript.FactChain])},
	}}
}

// groups parts a digest for people who compare it.
func groups(digest string) string {
	if digest == "" {
		return "none"
	}
	var parts []string
	for part := range slices.Chunk([]byte(digest), 8) {
		parts = append(parts, string(part))
	}
	return strings.Join(parts, " ")
}

func judged(r transcript.Report) Section {
	s := Section{Title: "Rules", Head: []string{"rule", "standing", "detail"}}
	for _, j := range r.Judgements {
		s.Rows = append(s.Rows, []string{string(j.Rule), string(j.Standing), or(printable.Text(j.Detail), "-")})
	}
	return s
}

// answers is what people answered, step by step.
func answers(r transcript.Report) Section {
	s := Section{Title: "What people reported", Head: []string{"step", "question", "answer"}}
	for _, e := range r.Events {
		if e.Kind == transcript.Answered {
			for _, name := range slices.Sorted(maps.Keys(e.Facts)) {
				s.Rows = append(s.Rows, []string{e.Step, name, printable.Shown(e.Facts[name])})
			}
		}
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

// found is what the program saw and did, by the last word on each.
func found(r transcript.Report) Section {
	s := Section{Title: "What was found and done", Head: []string{"step", "fact", "value"}}
	for _, e := range r.Events {
		if e.Kind == transcript.Found || e.Kind == transcript.Done {
			for _, name := range slices.Sorted(maps.Keys(e.Facts)) {
				s.Rows = append(s.Rows, []string{e.Step, name, printable.Shown(e.Facts[name])})
			}
		}
	}
	return s
}

func log(r transcript.Report) Section {
	s := Section{Title: "Every line", Head: []string{"line", "time", "kind", "step", "who or why"}}
	for _, e := range r.Events {
		about := []string{}
		for _, name := range []string{"signer", "for", "error", "interrupted", "control", "by", "line", "outcome", "detail"} {
			if v := e.Facts[name]; v != "" {
				about = append(about, printable.Shown(v))
			}
		}
		s.Rows = append(s.Rows, []string{fmt.Sprint(e.Seq), e.Time, string(e.Kind), e.Step, strings.Join(about, ": ")})
	}
	return s
}

func checking(r transcript.Report) Section {
	return Section{Title: "To check it", Text: []string{
		"Times are the console's clock, as it claims. This document proves nothing: the bundle does."},
		Code: "kekceremony transcript verify " + printable.Text(r.Bundle.Name) + "\nsha256sum " +
			printable.Text(r.Bundle.Name) + "/final.txt\n"}
}
