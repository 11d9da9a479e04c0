package line

import (
	"io"
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// maxWidth is the widest line, in columns.
const maxWidth = 79

// printer writes lines to the terminal.
type printer struct {
	out   io.Writer
	width int
	ascii bool // else what people typed is shown in their script
	waits bool // the cursor is behind the sign that waits for a line
	err   error
}

// say writes lines. It begins a new one if the cursor waits.
func (p *printer) say(lines ...string) {
	if len(lines) == 0 {
		return
	}
	p.fresh()
	for _, line := range lines {
		for _, row := range rows(line, p.width) {
			if row = plain(row); p.ascii {
				row = text.ASCII(row)
			}
			p.write(strings.TrimRight(row, " ") + "\n")
		}
	}
}

// hangs stands between a name and its value in a line: where the value is broken, it goes on below itself.
const hangs = "\x00"

// item is a name and its value.
func item(head, value string) string { return "  " + head + hangs + value }

// rows breaks a line. A value of one word that has no room beside its name, such as a path, has a row of its
// own, so that it is copied whole.
func rows(line string, width int) (all []string) {
	head, value, hanging := strings.Cut(line, hangs)
	room := width - ansi.StringWidth(head)
	switch {
	case !hanging || room < width/3:
		return text.Wrap([]string{head + value}, width)
	case !strings.Contains(value, " ") && ansi.StringWidth(value) > room:
		return text.Wrap([]string{head, "  " + value}, width)
	}
	for _, row := range text.Rows(value, room) {
		all = append(all, head+row)
		head = strings.Repeat(" ", ansi.StringWidth(head))
	}
	return all
}

// sign waits for a line. It stands at the beginning of one, whatever was typed and echoed there
// before.
const sign = "\r> "

// prompt has the cursor wait for a line.
func (p *printer) prompt() {
	p.fresh()
	p.write(sign)
	p.waits = true
}

// fresh begins a new line if the cursor waits.
func (p *printer) fresh() {
	if p.waits {
		p.write("\n")
	}
	p.waits = false
}

func (p *printer) write(s string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.out, s)
	}
}

// plain leaves no byte in a line that a terminal acts on.
func plain(line string) string {
	if strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return line
	}
	var b strings.Builder
	for _, r := range line {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(printable.Text(string(r)))
		}
	}
	return b.String()
}
