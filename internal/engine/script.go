package engine

import (
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/render"
)

// Script is a ceremony before it runs, made from the very steps that run it: who
// does what, about how long it takes, and blanks to sign. The digest of its Markdown
// stands in the first line of the transcript, whose facts say what a rotation makes and moves.
func (c Ceremony) Script(tool string, opened Facts) render.Document {
	facts, flags := c.scripted(opened)
	kind, all := c.Kind, c.Steps(facts)
	d := render.Document{Title: "Script of a ceremony: " + kind, Footer: "kekceremony " + tool + ", script of " + kind}
	d.Sections = append(d.Sections, render.Section{Title: "Before you begin", Text: []string{
		"Version of the program: " + tool + ". To print it again, run: kekceremony script " + kind + flags +
			". The SHA-256 of its Markdown is script_sha256 in the first line of the transcript.",
		"Bring: the roster, each operator's key, paper and pen for the final digest, " +
			"and the final digest of the ceremony before.",
	}, Head: []string{"role", "name", "organization", "signature"}, Rows: [][]string{
		{"operator", "", "", ""}, {"operator", "", "", ""}, {"operator", "", "", ""},
		{"witness", "", "", ""}, {"who authorized it", "", "", ""},
	}})
	minutes, rows := 0, [][]string{}
	for i, s := range all {
		minutes += s.minutes()
		rows = append(rows, []string{fmt.Sprint(i + 1), s.Title + "\n" + s.Why, s.who(), fmt.Sprint(s.minutes()), ""})
	}
	rows = append(rows, []string{
		fmt.Sprint(len(all) + 1),
		"Sign the end\nState whether the ceremony followed its script, and if not, what deviated. " +
			"Write down the final digest.",
		"everybody who attends signs", fmt.Sprint(finalMinutes), "",
	})
	d.Sections = append(d.Sections, render.Section{
		Title: "Steps",
		Head:  []string{"step", "what and why", "who", "minutes", "time, initials"},
		Rows:  rows,
		Text: []string{fmt.Sprintf("%d minutes are planned. "+
			"Report every deviation at the end, or at once where the program asks.", minutes+finalMinutes)},
	})
	for _, s := range all {
		if s.Ask == nil {
			continue
		}
		q := render.Section{Title: "Questions of " + s.Name, Head: []string{"question", "form", "answer"}}
		for _, f := range s.Ask.Fields {
			q.Rows = append(q.Rows, []string{f.Question, f.Help, ""})
		}
		d.Sections = append(d.Sections, q)
	}
	d.Sections = append(d.Sections, render.Section{
		Title: "End",
		Head:  []string{"final digest", "time", "signatures"},
		Rows:  [][]string{{"\n\n", "", ""}},
	})
	return d
}

// scripted are the facts of a first line that a script follows from: whether a rotation makes its
// version, whether an application made the database, and whether the server refuses old versions.
func (c Ceremony) scripted(opened Facts) (facts Facts, flags string) {
	facts = Facts{transcript.FactGenerate: "yes", transcript.FactFence: transcript.Fenced}
	if opened[transcript.FactGenerate] == "no" {
		facts[transcript.FactGenerate] = "no"
		flags += " --made"
	}
	if opened[transcript.FactPointer] != "" && c.Kind == transcript.KindRotate {
		facts[transcript.FactPointer] = "the application's"
		flags += " --adopted"
	}
	if opened.Unfenced() && c.Kind == transcript.KindRotate {
		facts[transcript.FactFence] = transcript.Unfenced
		flags += " --unfenced"
	}
	return facts, flags
}

// scriptSum is the digest of a script's Markdown.
func (c Ceremony) scriptSum(tool string, opened Facts) string {
	return transcript.Digest(render.Markdown(c.Script(tool, opened)))
}

// who says who acts in a step.
func (s Step) who() string {
	switch {
	case s.Who != "":
		return s.Who
	case s.Ask != nil:
		names := make([]string, len(s.Ask.Fields))
		for i, f := range s.Ask.Fields {
			names[i] = f.Name
		}
		return "answer: " + strings.Join(names, ", ")
	case s.Gather != nil && s.Gather.Purpose == quorum.Approve:
		return "M operators read the plan and sign"
	case s.Gather != nil && s.Gather.All:
		return "everybody who is asked signs"
	case s.Gather != nil:
		return "at least M operators, and any witnesses, sign"
	case s.Act != nil:
		return "the program, as approved"
	}
	return "the program; everybody watches"
}
