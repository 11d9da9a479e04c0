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
}

// boxOf fits a box to a screen. Of one that is open nothing stands beside the page.
func boxOf(g glyphs, columns, rows int, open bool) box {
	b := box{glyphs: g, width: max(1, columns-1), height: max(1, rows), open: open}
	b.framed = columns >= framedWidth && rows >= framedHeight
	if b.framed && !open && columns >= wideWidth {
		b.left, b.right = min(max(columns/4-7, 22), 33), min(max(columns/5, 20), 34)
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

// top is the header in the frame, or above a rule.
func (b box) top(left, right string) []string {
	if !b.framed {
		return []string{b.spread(" "+strong.Render(left), right, " ", b.width), b.rule("")}
	}
	h := past.Render(b.across)
	line := past.Render(b.corners[0]) + h + " " + strong.Render(left) + " "
	end := " " + right + " " + h + past.Render(b.corners[1])
	return []string{b.spread(line, end, h, b.width)}
}

// spread puts two texts at the ends of a line, with a filling between. Where both have no room the
// second stays.
func (b box) spread(left, right, filling string, width int) string {
	gap := width - ansi.StringWidth(left) - ansi.StringWidth(right)
	if gap < 0 {
		return ansi.Truncate(right, width, "")
	}
	return left + strings.Repeat(filling, gap) + right
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

// bottom closes a frame.
func (b box) bottom() []string {
	if !b.framed {
		return nil
	}
	return []string{past.Render(b.corners[2] + strings.Repeat(b.across, b.width-2) + b.corners[3])}
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
