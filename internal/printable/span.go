package printable

import (
	"fmt"
	"time"
)

// Span is a length of time in words, to the second; a short one to the tenth.
func Span(d time.Duration) string {
	if d > 0 && d < 10*time.Second && d%time.Second >= 100*time.Millisecond {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case h >= 48 && h%24 == 0 && m == 0 && s == 0:
		return fmt.Sprintf("%d days", h/24)
	case h >= 48:
		return fmt.Sprintf("%d days %d h", h/24, h%24)
	case h > 0:
		return fmt.Sprintf("%d h %d min", h, m)
	case m > 0 && s > 0:
		return fmt.Sprintf("%d min %d s", m, s)
	case m > 0:
		return fmt.Sprintf("%d min", m)
	}
	return fmt.Sprintf("%d s", s)
}
