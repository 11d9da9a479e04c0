package tui

import (
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// TestWrapKeepsAll: at no width a character is lost where a line breaks, and no line is
// wider than the screen.
func TestWrapKeepsAll(t *testing.T) {
	const said = ` refused: differed: want "none", or EXPECTED / SEEN / DECIDED / BY WHOM with " / " between;` +
		` example: /srv/rosters/2026-11/next-roster n/a: REASON SHA256:Zk3v/x+y`
	bare := func(s string) string { return strings.Join(strings.Fields(s), "") }
	for width := 20; width <= 130; width++ {
		for name, lines := range map[string][]string{
			"wrap": text.Wrap([]string{said}, width),
			"para": para(past, " ", said, width),
		} {
			if got := bare(ansi.Strip(strings.Join(lines, " "))); got != bare(said) {
				t.Errorf("%s at %d: %q", name, width, got)
			}
			for _, line := range lines {
				if n := ansi.StringWidth(line); n > width {
					t.Errorf("%s at %d: a line of %d", name, width, n)
				}
			}
		}
	}
}

// TestWrapCountsRows: a text of two lines is two rows at any width, or a page would be higher
// than the screen and lose its head.
func TestWrapCountsRows(t *testing.T) {
	for width := 20; width <= 130; width++ {
		if got := text.Wrap([]string{" refused: a\nb", "c"}, width); !slices.Equal(got, []string{" refused: a", " b", "c"}) {
			t.Errorf("at %d: %q", width, got)
		}
	}
	if got := text.Wrap(nil, 80); len(got) > 0 {
		t.Errorf("of nothing: %q", got)
	}
}

// TestWrapKeepsStyle: each row of a text that is broken has its style, and nothing beside it has.
func TestWrapKeepsStyle(t *testing.T) {
	const on, off = "\x1b[1;36m", "\x1b[0m"
	want := []string{" " + on + "answer:" + off, on + " where does it" + off, on + " take place?" + off, " plain"}
	got := text.Wrap([]string{" " + on + "answer: where does it take place?" + off, " plain"}, 15)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSpareLines: what a page has no room for first is the blank lines that it does not need.
func TestSpareLines(t *testing.T) {
	body := []string{"a", spare, "b", spare, "c"}
	for rows, want := range map[int]string{9: "a--b--c", 5: "a--b--c", 4: "a-b--c", 3: "a-b-c", 2: "a-b-c"} {
		if got := strings.Join(roomy(body, rows), "-"); got != want {
			t.Errorf("%d rows: %s, want %s", rows, got, want)
		}
	}
}
