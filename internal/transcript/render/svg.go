package render

import (
	"fmt"
	"html"
	"html/template"
	"strings"
	"time"
)

// Measures of the picture, in its own units.
const (
	pictureWidth = 720
	labelWidth   = 110
	rowHeight    = 11
	axisHeight   = 20
	leastRun     = 34 // of a run, so that its bars can be seen
	runGap       = 12 // between two runs: the time between is not drawn
	leastBar     = 4
)

// colors of the bars; the legend names each, and the rows name the steps.
var colors = map[Work][2]string{
	Looks: {"#8a94a0", "program looks"}, People: {"#2f6db5", "people answer or sign"},
	Acts: {"#1f7a4d", "act"}, Deviated: {"#c77700", "deviation"}, Failure: {"#b3261e", "failed"},
}

// SVG draws the timeline: no script, no style, nothing from elsewhere.
func (t *Timeline) SVG() template.HTML {
	height := len(t.Steps)*rowHeight + 2*axisHeight
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="100%%" role="img">`+
		`<title>%s</title>`, pictureWidth, height, html.EscapeString(t.Title))
	b.WriteString(`<g font-family="sans-serif" font-size="8.5" fill="#222">`)
	starts := t.layout()
	bottom := axisHeight + len(t.Steps)*rowHeight
	for i, r := range t.Runs {
		x, w := starts[i].x, starts[i].width
		fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="#eef1f4"/>`,
			x, axisHeight-4, w, bottom-axisHeight+6)
		if at := r.From.UTC().Format("15:04:05"); i == 0 || x-starts[i-1].x >= 48 {
			fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`, x, axisHeight-8, at)
		}
	}
	if n := len(t.Runs); n > 0 && starts[n-1].width >= 100 {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, pictureWidth, axisHeight-8,
			t.Runs[n-1].To.UTC().Format(time.TimeOnly))
	}
	for i, s := range t.Steps {
		y := axisHeight + i*rowHeight
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelWidth-8, y+rowHeight-3,
			html.EscapeString(short(s)))
	}
	for _, bar := range t.Bars {
		p := starts[bar.Run]
		x, end := p.at(bar.From), p.at(bar.To)
		w := max(leastBar, end-x)
		x = min(x, p.x+p.width-w)
		fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`,
			x, axisHeight+bar.Step*rowHeight+1, w, rowHeight-3, colors[bar.Work][0])
	}
	t.legend(&b, bottom+axisHeight-6)
	b.WriteString(`</g></svg>`)
	return template.HTML(b.String()) // every text in it is escaped
}

// short is a step's name that fits its place.
func short(name string) string {
	const most = 20
	if len(name) > most {
		return name[:most-3] + "..."
	}
	return name
}

// place is where a run is drawn.
type place struct {
	run      Run
	x, width float64
}

// at is where a time of the run is drawn.
func (p place) at(t time.Time) float64 {
	whole := p.run.To.Sub(p.run.From)
	if whole <= 0 {
		return p.x
	}
	return p.x + p.width*float64(t.Sub(p.run.From))/float64(whole)
}

// layout gives each run its least width, and shares out the rest by time.
func (t *Timeline) layout() []place {
	var sum time.Duration
	for _, r := range t.Runs {
		sum += r.To.Sub(r.From)
	}
	n := float64(len(t.Runs))
	room := float64(pictureWidth-labelWidth) - runGap*(n-1)
	gap, least := float64(runGap), float64(leastRun)
	if room < n*leastRun { // many runs: each gets the same
		room, gap = float64(pictureWidth-labelWidth), 0
		least = room / n
	}
	rest := max(0, room-n*least)
	places, x := make([]place, len(t.Runs)), float64(labelWidth)
	for i, r := range t.Runs {
		share := 1 / n
		if sum > 0 {
			share = float64(r.To.Sub(r.From)) / float64(sum)
		}
		places[i] = place{r, x, least + rest*share}
		x += places[i].width + gap
	}
	return places
}

// legend names the colours that the picture has.
func (t *Timeline) legend(b *strings.Builder, y int) {
	seen := map[Work]bool{}
	for _, bar := range t.Bars {
		seen[bar.Work] = true
	}
	x := labelWidth
	for w := Looks; w <= Failure; w++ {
		if seen[w] {
			fmt.Fprintf(b, `<rect x="%d" y="%d" width="9" height="9" fill="%s"/><text x="%d" y="%d">%s</text>`,
				x, y-8, colors[w][0], x+13, y, colors[w][1])
			x += 24 + 5*len(colors[w][1])
		}
	}
}
