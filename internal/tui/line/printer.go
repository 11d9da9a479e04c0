package line

import (
	"io"
	"strings"
	"unicode"

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
	for _, line := range text.Wrap(lines, p.width) {
		if line = plain(line); p.ascii {
			line = text.ASCII(line)
		}
		p.write(strings.TrimRight(line, " ") + "\n")
	}
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
