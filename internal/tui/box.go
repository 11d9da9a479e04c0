package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// The smallest screens that have a frame, and the smallest that have three parts. Nothing stands in
// the last column: terminals differ in what they do after it.
const (
	framedWidth  = 60
	framedHeight = 18
	wideWidth    = 100
	widest       = 160
)

// box is how a page is drawn: three parts, one, or on a small screen lines without a frame.
type box struct {
	glyphs
	width       int  // columns
	height      int  // rows
	framed      bool // else there are two rules alone
	open        bool // the frame has no sides: what stands in it can be copied
	left, right int  // columns of the parts beside the page; 0: none
	fold        fold
	unseen      bool // the end of the page is out of sight
}

// fold is how much of a page is folded for want of rows: each has what those before it have.
type fold int

const (
	foldNothing fold = iota
	foldEarlier      // what an earlier run answered: a line, and a key
	foldKeys         // keys that have no room beside their people, but of one who compares it now
	foldSigners      // those who sign: a line; who attends is left out, and what is for a shell scrolls
	foldPins         // nothing stays beside the prompt: all of the page scrolls
)

// boxOf fits a box to a screen. Of one that is open nothing stands beside the page.
func boxOf(g glyphs, columns, rows int, open bool) box {
	b := box{glyphs: g, width: max(1, columns-1), height: max(1, rows), open: open}
	b.framed = columns >= framedWidth && rows >= framedHeight
	if b.framed && !open && columns >= wideWidth {
		b.left, b.right = min(max(columns/4-7, 26), 33), min(max(columns/5, 20), 34)
		if columns >= widest {
			b.left = 37 // the longest title of a step, and its time
		}
	}
	return b
}

// page is the columns of the part in the middle.
func (b box) page() int {
	n := b.width
	if b.framed {
		n -= 2
	}
	if b.left > 0 {
		n -= b.left + b.right + 2
	}
	return n
}

// wide reports whether the box has three parts.
func (b box) wide() bool { return b.left > 0 }

// top is the header in the frame, or above a rule with a note in it.
func (b box) top(left, right, note string) []string {
	if !b.framed {
		return []string{b.spread(" "+left, right, " ", b.width), b.rule(note)}
	}
	h := past.Render(b.across)
	line := past.Render(b.corners[0]) + h + " " + left + " "
	end := h + past.Render(b.corners[1])
	if right != "" {
		end = " " + right + " " + end
	}
	return []string{b.spread(line, end, h, b.width)}
}

// spread puts two texts at the ends of a line, with a filling between. Where both have no room the
// first is cut.
func (b box) spread(left, right, filling string, width int) string {
	gap := width - ansi.StringWidth(left) - ansi.StringWidth(right)
	if gap < 0 {
		left, gap = ansi.Truncate(left, max(0, width-ansi.StringWidth(right)-1), b.more)+" ", 0
	}
	return ansi.Truncate(left+strings.Repeat(filling, gap)+right, width, "")
}

// rule is a line across, with a note in it.
func (b box) rule(note string) string {
	if note != "" {
		note = b.across + b.across + " " + note + " "
	}
	line := func(n int) string { return strings.Repeat(b.across, max(0, n)) }
	if !b.framed {
		return past.Render(ansi.Truncate(note+line(b.width-ansi.StringWidth(note)), b.width, ""))
	}
	page := note + line(b.page()-ansi.StringWidth(note))
	if b.wide() {
		page = line(b.left) + b.joints[3] + page + b.joints[3] + line(b.right)
	}
	return past.Render(b.joints[0] + page + b.joints[1])
}

// ruled is the rule above the keys. Where no frame ends below them, the time stands in it.
func (b box) ruled(note, time string) string {
	rule := b.rule(note)
	if room := b.width - ansi.StringWidth(note) - ansi.StringWidth(time) - 10; b.framed || time == "" || room < 0 {
		return rule
	}
	return ansi.Truncate(rule, b.width-len(time)-3, "") + past.Render(" "+time+" "+b.across)
}

// bottom closes a frame. The time stands in it.
func (b box) bottom(time string) []string {
	if !b.framed {
		return nil
	}
	if time != "" {
		time = " " + time + " " + b.across
	}
	line := strings.Repeat(b.across, b.width-2-ansi.StringWidth(time))
	return []string{past.Render(b.corners[2] + line + time + b.corners[3])}
}

// row is a line of the page with what stands beside it.
func (b box) row(left, page, right string) string {
	if !b.framed {
		return ansi.Truncate(page, b.width, "")
	}
	side := past.Render(b.down)
	outer := side
	if b.open {
		outer = " "
	}
	line := pad(page, b.page())
	if b.wide() {
		line = pad(left, b.left) + side + line + side + pad(right, b.right)
	}
	if b.open {
		return strings.TrimRight(outer+line, " ")
	}
	return outer + line + outer
}

// whole is a line of the whole width in the frame.
func (b box) whole(line string) string {
	if !b.framed {
		return ansi.Truncate(line, b.width, "")
	}
	side := past.Render(b.down)
	if b.open {
		return " " + ansi.Truncate(line, b.width-2, "")
	}
	return side + pad(line, b.width-2) + side
}

// pad makes a line so wide, and no wider.
func pad(line string, width int) string {
	line = ansi.Truncate(line, width, "")
	return line + strings.Repeat(" ", max(0, width-ansi.StringWidth(line)))
}

// heading is a line across the page with a title, and a note at its end.
func (b box) heading(title, note string) string {
	width := b.page() - 2
	head := " " + past.Render(b.across) + " " + strong.Render(title) + " "
	if note != "" {
		note = " " + note + " " + past.Render(b.across)
	}
	return b.spread(head, note, past.Render(b.across), width)
}

// wrapped breaks lines at the width of the page.
func (b box) wrapped(lines []string) []string { return text.Wrap(lines, b.page()-1) }

// spare is a blank line that a body has only where there is room for it.
const spare = "\x00"

// roomy is a body with as many of its spare lines as so many rows have room for.
func roomy(body []string, rows int) (lines []string) {
	over := len(body) - rows
	for _, line := range body {
		if line == spare {
			if over--; over >= 0 {
				continue
			}
			line = ""
		}
		lines = append(lines, line)
	}
	return lines
}

// trimmed is a body without the blank lines at its end.
func trimmed(body []string) []string {
	for len(body) > 0 && strings.TrimSpace(ansi.Strip(body[len(body)-1])) == "" {
		body = body[:len(body)-1]
	}
	return body
}
