package text

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Groups writes a digest in lines of as many of its groups as the width has room for.
func Groups(digest string, width int) (lines []string) {
	per := 8
	if width < 60 {
		per = 4
	}
	for some := range slices.Chunk(strings.Fields(transcript.Groups(digest)), per) {
		lines = append(lines, strings.Join(some, " "))
	}
	return lines
}

// Run names an earlier run of a ceremony, behind what is of it.
func Run(n int) string { return fmt.Sprintf(", run %d", n) }

// Span writes minutes and seconds.
func Span(d time.Duration) string {
	s := int(d.Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}

// ETA says when a re-wrap will end.
func ETA(e engine.ETA, now time.Time) string {
	switch {
	case !e.Known:
		return e.Why
	case e.From == e.To:
		return fmt.Sprintf("%s, near %s", Span(e.To), now.Add(e.To).Format("15:04:05"))
	}
	return fmt.Sprintf("%s to %s", Span(e.From), Span(e.To))
}
