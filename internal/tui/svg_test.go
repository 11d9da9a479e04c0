package tui

import (
	"bytes"
	"fmt"
	"html"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Measures of a picture: those of a terminal's cell, and the margin.
const (
	cellWidth  = 8.4
	cellHeight = 18
	margin     = 14
	perFrame   = 2.5 // seconds
)

// svg draws frames one after the other, or one that stays. Nothing in it depends on fonts: each
// piece of text has its place and its length.
func svg(alt string, frames []string) []byte {
	var b bytes.Buffer
	width, height := 80*cellWidth+2*margin, 24*cellHeight+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" width="%.0f" role="img">`+"\n"+
		"<title>%s</title>\n"+`<rect width="100%%" height="100%%" rx="8" fill="#14181f"/>`+"\n"+
		`<g font-family="ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace" font-size="14" fill="#d7dae0">`+"\n",
		width, height, width, html.EscapeString(alt))
	for i, f := range frames {
		if len(frames) > 1 {
			moment(&b, i, len(frames))
		}
		sides := map[int][]int{} // rows with a side of the frame, by column
		for row, line := range strings.Split(f, "\n") {
			drawLine(&b, row, line, sides)
		}
		drawSides(&b, sides)
		if len(frames) > 1 {
			b.WriteString("</g>\n")
		}
	}
	b.WriteString("</g></svg>\n")
	return b.Bytes()
}

// moment opens a frame that is seen for its time only. Where nothing moves, the first one is seen.
func moment(b *bytes.Buffer, i, n int) {
	at := func(k int) string { return strings.TrimSuffix(fmt.Sprintf("%.4f", float64(k)/float64(n)), "0") }
	times, values, first := "0;"+at(i)+";"+at(i+1), "hidden;visible;hidden", "hidden"
	switch i {
	case 0:
		times, values, first = "0;"+at(1), "visible;hidden", "visible"
	case n - 1:
		times, values = "0;"+at(i), "hidden;visible"
	}
	fmt.Fprintf(b, `<g visibility="%s"><animate attributeName="visibility" dur="%.1fs" repeatCount="indefinite" `+
		`calcMode="discrete" keyTimes="%s" values="%s"/>`+"\n", first, float64(n)*perFrame, times, values)
}

// sequence is what sets the style of what follows it.
var sequence = regexp.MustCompile("\x1b\\[([0-9;]*)m")

// apart finds text between wide gaps: each piece stands at its own column.
var apart = regexp.MustCompile(`[^ ]+( [^ ]+)*`)

// drawLine draws a line, style by style.
func drawLine(b *bytes.Buffer, row int, line string, sides map[int][]int) {
	column, style := 0, ""
	for line != "" {
		at := sequence.FindStringSubmatchIndex(line)
		text := line
		if at != nil {
			text = line[:at[0]]
		}
		for _, piece := range apart.FindAllStringIndex(text, -1) {
			at, words := column+ansi.StringWidth(text[:piece[0]]), text[piece[0]:piece[1]]
			if words == "│" {
				sides[at] = append(sides[at], row)
				continue
			}
			drawText(b, row, at, words, style)
		}
		column += ansi.StringWidth(text)
		if at == nil {
			return
		}
		style, line = attributes(line[at[2]:at[3]]), line[at[1]:]
	}
}

// drawSides draws the sides of the frame as lines.
func drawSides(b *bytes.Buffer, sides map[int][]int) {
	if len(sides) == 0 {
		return
	}
	b.WriteString(`<path stroke="#8b93a1" d="`)
	for _, column := range slices.Sorted(maps.Keys(sides)) {
		rows := sides[column]
		for i, row := range rows {
			if i == 0 || rows[i-1] != row-1 {
				fmt.Fprintf(b, "M%.1f %d", margin+(float64(column)+.5)*cellWidth, margin+row*cellHeight)
			}
			if i == len(rows)-1 || rows[i+1] != row+1 {
				fmt.Fprintf(b, "V%d", margin+(row+1)*cellHeight)
			}
		}
	}
	b.WriteString(`"/>` + "\n")
}

func drawText(b *bytes.Buffer, row, column int, text, style string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%d" textLength="%.1f"%s>%s</text>`+"\n", margin+float64(column)*cellWidth,
		margin+row*cellHeight+14, float64(ansi.StringWidth(text))*cellWidth, style, html.EscapeString(text))
}

// attributes are those of the styles that style.go has.
func attributes(codes string) string {
	var all string
	for code := range strings.SplitSeq(codes, ";") {
		switch code {
		case "1":
			all += ` font-weight="bold"`
		case "2":
			all += ` fill="#8b93a1"`
		case "7":
			all += ` fill="#4fc1d9"`
		case "32":
			all += ` fill="#7ee787"`
		case "33":
			all += ` fill="#e3b341"`
		case "31":
			all += ` fill="#ff7a70"`
		case "36":
			all += ` fill="#4fc1d9"`
		}
	}
	return all
}
