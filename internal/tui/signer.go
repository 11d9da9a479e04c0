package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// planHead is the width of a change's number and verb.
const planHead = 13

// plan is the changes that people approve, and how each is undone.
func (b box) plan(r engine.Request) (lines []string) {
	undo, same := "", len(r.Plan) > 1
	for i, e := range r.Plan {
		same = same && (i == 0 || e.Undo == undo)
		undo = e.Undo
	}
	for i, e := range text.Plan(r) {
		at := min(len(e[0]), planHead)
		lines = append(lines, para(plain, "   "+e[0][:at], e[0][at:], b.page()-1)...)
		if !same {
			lines = append(lines, para(undoStyle(r.Plan[i].Undo), "                ", e[1], b.page()-1)...)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	if same {
		lines = append(lines, para(undoStyle(undo), "      ", text.Undo(undo, " of each"), b.page()-1)...)
	}
	return append(lines, "")
}

// undoStyle has what cannot be undone stand out.
func undoStyle(undo string) lipgloss.Style {
	if text.Final(undo) {
		return alarm
	}
	return past
}

// digest is what people compare before they sign.
func (b box) digest(r engine.Request) (lines []string) {
	label, digest := text.Digest(r)
	if label == "" {
		return nil
	}
	label = fmt.Sprintf(" %-12s  ", label+" digest")
	for _, g := range text.Groups(digest, b.page()) {
		lines = append(lines, label+strong.Render(g))
		label = strings.Repeat(" ", len(label))
	}
	return append(lines, spare)
}

// did is what the ceremony did.
func (b box) did(r engine.Request) (lines []string) {
	for _, s := range r.Done {
		lines = append(lines, para(plain, " ", s, b.page()-1)...)
	}
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	return lines
}

// earlier are what the people of an earlier run answered.
func (b box) earlier(r engine.Request) (lines []string) {
	if len(r.Earlier) == 0 {
		return nil
	}
	lines = append(lines, " "+text.Earlier)
	all := make([]engine.Detail, len(r.Earlier))
	for i, s := range r.Earlier {
		all[i] = engine.Detail(s)
	}
	for _, d := range all {
		head, value := text.DetailOf(all, d)
		lines = append(lines, para(plain, past.Render(" "+head), value, b.page()-1)...)
	}
	return append(lines, "")
}

// wholePlan is the plan as it is signed, with the digest that people compare.
func (b box) wholePlan(r engine.Request) []string {
	lines := append(para(strong, " ", text.WholePlan, b.page()-1), "")
	for _, l := range text.Whole(r) {
		lines = append(lines, para(plain, " "+l[0], l[1], b.page()-1)...)
	}
	return lines
}

// standingOf says where a person stands to a request; now: their word is awaited.
func standingOf(r engine.Request, s engine.Signer, now bool) (mark, lipgloss.Style, string) {
	switch {
	case s.Signed && r.Purpose == engine.Final:
		return markDone, plain, "signed " + s.At
	case s.Signed:
		return markDone, plain, strings.TrimSpace("signed " + s.At)
	case !s.Asked:
		return markNone, past, text.NotAsked(r, s)
	case s.Offline != "":
		return markTodo, pending, "signs offline"
	case now && r.Enough():
		return markNow, plain, "may sign too"
	case now:
		return markNow, accent, "must sign"
	case s.Key == "":
		return markTodo, past, "no key here"
	}
	return markTodo, past, "to sign"
}

// signer is the line of a person, or two where the key and where the person stands have no room. Where keys
// are folded the second is left out.
func (b box) signer(r engine.Request, s engine.Signer, now bool) []string {
	k, style, state := standingOf(r, s, now)
	where := ""
	if s.Key == engine.InAgent && !s.Signed {
		where = "  " + s.Key
	}
	head := " " + b.of(k) + " " + fmt.Sprintf("%-8s ", s.Name)
	short := text.Fingerprint(r, s)
	at := minutes(r, s, state)
	forms := [][2]string{{s.Fingerprint, state}, {s.Fingerprint, at}, {short, state}, {short, at}}
	if b.fold >= foldKeys && !(now && text.Compares(r)) {
		forms = append(forms, [2]string{"", state})
	}
	for i, form := range forms {
		if gap := b.page() - 2 - ansi.StringWidth(head+form[0]+where+form[1]); gap > 0 || i == 4 {
			return []string{head + form[0] + where + strings.Repeat(" ", max(1, gap)) + style.Render(form[1])}
		}
	}
	lines, indent := []string{head + style.Render(state+where)}, strings.Repeat(" ", ansi.StringWidth(head))
	for row := range strings.SplitSeq(ansi.Hardwrap(short, max(8, b.page()-1-len(indent)), true), "\n") {
		lines = append(lines, indent+past.Render(row))
	}
	return lines
}

// minutes is a state without the seconds of its time, which the log has. Of an end it is the verdict alone: the mark
// says that it is signed.
func minutes(r engine.Request, s engine.Signer, state string) string {
	if s.Signed && r.Purpose == engine.Final {
		return s.At
	}
	if hm := len("14:05"); s.Signed && len(s.At) > hm {
		return strings.TrimSuffix(state, s.At[hm:])
	}
	return state
}

// field is a field with its cursor, which a terminal without colors would not show.
func field(input textinput.Model) string {
	view := input.View()
	if lipgloss.ColorProfile() == termenv.Ascii && input.Position() == len([]rune(input.Value())) {
		return strings.TrimRight(view, " ") + " _"[min(1, len(input.Value())):]
	}
	return view
}

// pinned is what nobody signs without: the digest, and who signs.
func (p *signPrompt) pinned(b box) (lines []string) {
	r := p.q.Q
	if b.fold >= foldEarlier && len(r.Earlier) > 0 {
		lines = append(lines, fmt.Sprintf(" %d answers of an earlier run: %s. Sign only if they are yours.", len(r.Earlier),
			strings.Replace(earlierCommand.key().short(), earlierCommand.does, "shows them", 1)))
	}
	lines = append(lines, b.digest(r)...)
	if b.fold >= foldSigners {
		var all []string
		for i, s := range r.Signers {
			_, _, state := standingOf(r, s, i == p.who)
			all = append(all, s.Name+" "+state)
		}
		lines = append(lines, para(plain, " ", "Signatures "+text.Signed(r)+": "+strings.Join(all, ", "), b.page()-1)...)
		if p.who >= 0 && text.Compares(r) {
			lines = append(lines, b.signer(r, r.Signers[p.who], true)...)
		}
		return lines
	}
	lines = append(lines, b.heading("Signatures", text.Signed(r)))
	for i, s := range r.Signers {
		lines = append(lines, b.signer(r, s, i == p.who)...)
	}
	return lines
}
