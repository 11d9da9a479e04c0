package main

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/status"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Sizes of the page, in characters, and how much of a group is on it. --json has everything.
const (
	pageWidth    = 80
	headingWidth = 11 // of the column before the rows
	nameWidth    = 26 // of a process
	pageVersions = 4
	pageFields   = 6
	pageFleet    = 6
)

// writeStatus writes the page for people: a heading, then its rows.
func writeStatus(w io.Writer, st status.Status, typing func(string) string) error {
	p := page{width: pageWidth, typing: typing}
	p.row("store", st.Store)
	p.standing(st)
	if c := st.Last; c != nil && c.Final != "" {
		p.row("final", c.Final)
	}
	p.due(st.Due)
	_, err := io.WriteString(w, p.String())
	return err
}

// standing is all that is not to be done.
func (p *page) standing(st status.Status) {
	for _, s := range st.Sources {
		p.row("set by", s.From+": "+s.Key)
	}
	if st.Installed {
		p.row("lock", "provider "+st.Provider+", chain "+st.Chain)
	} else {
		p.row("lock", "none: not installed")
	}
	p.versions(st)
	p.envelopes(st)
	p.ready(st)
	p.fleet(st)
	if c := st.Last; c != nil {
		outcome := cmp.Or(c.Outcome, "open")
		if c.Disagreed {
			outcome += ", and its transcript is incomplete"
		}
		p.row("ceremony", fmt.Sprintf("%d  %s, %s, bundle %s", c.Seq, c.Kind, outcome, c.Bundle))
	}
}

// page is what is written of it.
type page struct {
	strings.Builder
	width   int                         // of a line, in columns
	typing  func(command string) string // nil: no commands are on the page
	heading string                      // of the row before
}

// row writes a row, on several lines if it is long. The first of its group has the heading.
func (p *page) row(heading, text string) {
	if heading == p.heading {
		heading = ""
	} else {
		p.heading = heading
	}
	indent := len(text) - len(strings.TrimLeft(text, " "))
	line := ""
	for _, word := range strings.SplitAfter(text[indent:], " ") {
		if n := len(strings.TrimRight(word, " ")); line != "" && headingWidth+indent+len(line)+n > p.width {
			p.line(heading, indent, line)
			heading, line = "", ""
		}
		line += word
	}
	p.line(heading, indent, line)
}

func (p *page) line(heading string, indent int, text string) {
	fmt.Fprintf(p, "%-*s%s\n", headingWidth+indent, heading, strings.TrimRight(text, " "))
}

// command writes a command below the row that it is for. It is one line however long it is: it is copied whole.
func (p *page) command(command string) {
	if p.typing != nil {
		p.line("", 2, p.typing(command))
	}
}

// stateOf is a version's state in a word or two.
func stateOf(st status.Status, v status.VersionStatus) string {
	switch {
	case v.Version == st.Active && v.State == string(store.Compromised):
		return "active, compromised"
	case v.Version == st.Active:
		return "active"
	case v.Removed && v.State == string(store.Destroyed):
		return "removed"
	}
	return v.State
}

// versions are the newest ones, and of those that may be written how much of their use is over.
func (p *page) versions(st status.Status) {
	older := max(0, len(st.Versions)-pageVersions)
	if older > 0 {
		p.row("versions", fmt.Sprintf("%d older ones", older))
	}
	widest := 0
	for _, v := range st.Versions[older:] {
		widest = max(widest, len(stateOf(st, v)))
	}
	for _, v := range st.Versions[older:] {
		how := "generated"
		if v.Outside {
			how = "made outside, adopted"
		}
		if v.Bound {
			how = "bound, " + how
		}
		p.row("versions", fmt.Sprintf("%d  %-*s  %s  %s %s, ceremony %d",
			v.Version, widest, stateOf(st, v), v.Label, how, v.Created.Format("2006-01-02"), v.Ceremony))
	}
	for _, v := range st.Versions[older:] {
		if v.Version == st.Active || v.State == string(store.Live) {
			p.row("use", used(v, st.AtLeast))
		}
	}
}

// ready are the versions that can be disabled, and those that wait to be destroyed. Nothing is due for that.
func (p *page) ready(st status.Status) {
	for _, v := range st.Versions {
		if v.Ready {
			p.row("ready", fmt.Sprintf("%d can be disabled", v.Version))
			p.command(fmt.Sprintf("kekceremony disable --version %d", v.Version))
		}
		if v.Destroy != "" && v.State == string(store.Disabled) {
			p.row("waits", fmt.Sprintf("%d may be destroyed from %s on", v.Version, v.Destroy))
		}
	}
}

func used(v status.VersionStatus, atLeast bool) string {
	count := fmt.Sprintf("%s (%.0f %% of 2^32)", printable.Count(int(v.Wraps)), float64(v.Wraps)/float64(kek.MaxWraps)*100)
	if atLeast {
		count = "at least " + count
	}
	text := fmt.Sprintf("%d  wraps: %s", v.Version, count)
	if v.End != "" {
		text += "; planned end: " + v.End
	}
	return text
}

// envelopes counts those at the active version together, and others by field.
func (p *page) envelopes(st status.Status) {
	n, fields := 0, 0 // at the active version
	var others []string
	for _, f := range st.Envelopes {
		if f.Version == st.Active {
			n, fields = n+f.N, fields+1
		} else {
			others = append(others, fmt.Sprintf("%s at version %d in %s", printable.Count(f.N), f.Version, f.Field))
		}
	}
	if fields > 0 {
		p.row("envelopes", fmt.Sprintf("%s at version %d; fields: %d", printable.Count(n), st.Active, fields))
	}
	p.some("envelopes", others, pageFields, "fields")
	if st.Excluded > 0 {
		p.row("envelopes", fmt.Sprintf("%s of them excluded in the last rotation", printable.Count(st.Excluded)))
	}
}

// fleet shows those processes together that report the same.
func (p *page) fleet(st status.Status) {
	var order []string
	groups := map[string][]status.ProcessStatus{}
	for _, one := range st.Fleet {
		key := fmt.Sprint(one.Live, one.Role, one.Writes, one.Claims, one.Trouble != "")
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], one)
	}
	var rows []string
	for _, key := range order {
		rows = append(rows, fleetRow(groups[key]))
	}
	p.some("fleet", rows, pageFleet, "rows")
	if st.More {
		p.row("fleet", "more silent processes")
	}
	for _, m := range st.Missing {
		p.row("fleet", "missing: only "+m)
	}
}

// fleetRow is what processes report alike; the time is that of the one seen last the longest ago.
func fleetRow(all []status.ProcessStatus) string {
	one, seconds := all[0], 0
	for _, other := range all {
		seconds = max(seconds, other.Seconds)
	}
	name := fmt.Sprintf("%d %s", len(all), one.Role)
	if len(all) == 1 {
		name = path.Dir(one.Process) // without the time that it started
	}
	if len(name) > nameWidth {
		name = name[:nameWidth-3] + "..."
	}
	state := "live  "
	if !one.Live {
		state = "silent"
	}
	line := fmt.Sprintf("%s  %s  writes %s, reads %s, seen %d s ago", state, name, versionOrNothing(one.Writes),
		listed(one.Claims), seconds)
	if one.Trouble != "" {
		line += ", trouble"
	}
	return line
}

// listed is versions as a sentence has them.
func listed(all []kek.Version) string {
	text := "nothing"
	for i, v := range all {
		switch {
		case i == 0:
			text = v.String()
		case i == len(all)-1:
			text += " and " + v.String()
		default:
			text += ", " + v.String()
		}
	}
	return text
}

// some writes the first rows of a group, and how many more there are.
func (p *page) some(heading string, rows []string, limit int, what string) {
	for _, row := range rows[:min(len(rows), limit)] {
		p.row(heading, row)
	}
	if more := len(rows) - limit; more > 0 {
		p.row(heading, fmt.Sprintf("%d more %s: kekceremony status --json", more, what))
	}
}

// due writes each reason, and below those that have one command this command.
func (p *page) due(all []status.Due) {
	if len(all) == 0 {
		p.row("due", "nothing")
	}
	for i, d := range all {
		p.row("due", d.Why)
		if i == len(all)-1 || all[i+1].Command != d.Command {
			p.command(d.Command)
		}
	}
}
