package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/audit"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// foreign is what an entry of a chain's directory is that is no bundle.
const foreign transcript.Standing = "foreign"

// finding is what was found in one bundle, or in all together.
type finding struct {
	Bundle       string                        `json:"bundle,omitempty"`
	Standing     transcript.Standing           `json:"standing"`
	Format       string                        `json:"format,omitempty"`
	Chain        string                        `json:"chain,omitempty"`
	Ceremony     string                        `json:"ceremony,omitempty"`
	Kind         string                        `json:"kind,omitempty"`
	Mode         string                        `json:"mode,omitempty"`
	Outcome      string                        `json:"outcome,omitempty"`
	Lines        int                           `json:"lines,omitempty"`
	Final        string                        `json:"final,omitempty"`
	Finals       map[string]transcript.Verdict `json:"finals,omitempty"`
	Words        map[string]string             `json:"words,omitempty"` // beside a verdict
	WithoutFinal []string                      `json:"attended_without_final,omitempty"`
	Quorum       int                           `json:"quorum,omitempty"`
	GivenUpBy    string                        `json:"given_up_by,omitempty"` // of a void one
	GivenUpWhy   string                        `json:"given_up_why,omitempty"`
	Deviations   []transcript.Facts            `json:"deviations,omitempty"`
	Rules        []transcript.Judgement        `json:"rules"`
	Census       *audit.Census                 `json:"census,omitempty"` // of the store, and nothing else
}

func findingOf(r transcript.Report, err error) finding {
	opened := r.Opened()
	f := finding{Bundle: r.Bundle.Name, Standing: transcript.StandingOf(err), Format: opened[transcript.FactFormat],
		Chain: opened[transcript.FactChain], Ceremony: opened[transcript.FactCeremony],
		Kind: opened[transcript.FactKind], Mode: opened[transcript.FactMode], Outcome: r.Outcome,
		Lines: len(r.Events), Final: r.FinalSum, WithoutFinal: r.WithoutFinal(),
		Quorum: r.Roster.M, Rules: r.Judgements, Finals: map[string]transcript.Verdict{}, Words: map[string]string{}}
	for name, final := range r.Finals {
		f.Finals[name] = final.Verdict
		if final.Words != "" {
			f.Words[name] = final.Words
		}
	}
	if r.Void() {
		f.GivenUpBy, f.GivenUpWhy = r.Facts[transcript.FactOperator], r.Facts[transcript.FactReason]
	}
	for _, d := range r.Deviations {
		f.Deviations = append(f.Deviations, d.Facts)
	}
	return f
}

// printFindings prints what was found: a good bundle in three lines, any other rule by rule.
func printFindings(w io.Writer, all []finding) error {
	var b strings.Builder
	for _, f := range all {
		switch {
		case f.Census != nil:
			fmt.Fprintf(&b, "  %-10s  %s\n", "census", f.Census)
			continue
		case f.Bundle == "":
			printRules(&b, f.Rules)
			continue
		case f.Standing == foreign:
			fmt.Fprintf(&b, "foreign: %s: not a bundle; not checked\n",
				printable.Text(f.Bundle))
			continue
		case f.Standing == transcript.Good:
			fmt.Fprintf(&b, "good: %s: %s %s of chain %s, %s, %s\n", printable.Text(f.Bundle), printable.Text(f.Kind),
				printable.Text(f.Ceremony), printable.Text(f.Chain), f.Mode, f.Outcome)
			fmt.Fprintf(&b, "  lines   %d, final digest %s\n", f.Lines, f.Final)
			fmt.Fprintf(&b, "  finals  %s; quorum %d\n", verdicts(f.Finals), f.Quorum)
			if f.Format == transcript.FormatV1 {
				b.WriteString("  format  v1: the rules that v2 adds are not applied\n")
			}
		case f.Standing == transcript.Void:
			fmt.Fprintf(&b, "void: %s: %s of chain %s, %s, outside every chain\n", printable.Text(f.Bundle),
				printable.Text(f.Kind), printable.Text(f.Chain), f.Mode)
			fmt.Fprintf(&b, "  given up by %s: %s\n", printable.Shown(f.GivenUpBy), printable.Shown(f.GivenUpWhy))
			fmt.Fprintf(&b, "  lines   %d, %s\n", f.Lines, signers(f.Finals))
		default:
			fmt.Fprintf(&b, "%s: %s\n", f.Standing, printable.Text(f.Bundle))
			printRules(&b, f.Rules)
		}
		for _, name := range slices.Sorted(maps.Keys(f.Words)) {
			fmt.Fprintf(&b, "  words   %s: %s\n", name, printable.Shown(f.Words[name]))
		}
		if len(f.WithoutFinal) > 0 {
			fmt.Fprintf(&b, "  no final of %s, who attended\n", strings.Join(f.WithoutFinal, ", "))
		}
		for _, d := range f.Deviations {
			fmt.Fprintf(&b, "  deviation  %s: expected %s, seen %s, decided: %s\n",
				printable.Text(d["what"]), printable.Shown(d["expected"]), printable.Shown(d["seen"]),
				printable.Shown(d["decided"]))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func printRules(b *strings.Builder, rules []transcript.Judgement) {
	for _, j := range rules {
		line := fmt.Sprintf("  %-10s  %s", j.Rule, j.Standing)
		if j.Detail != "" {
			line += ": " + printable.Text(j.Detail)
		}
		b.WriteString(line + "\n")
	}
}

// signers are those who signed that an install is given up.
func signers(finals map[string]transcript.Verdict) string {
	if len(finals) == 0 {
		return "signed by nobody: nobody had attended"
	}
	return "signed by " + verdicts(finals)
}

func verdicts(finals map[string]transcript.Verdict) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(finals)) {
		all = append(all, fmt.Sprintf("%s (%s)", name, finals[name]))
	}
	return strings.Join(all, ", ")
}
