package tui

import (
	"time"

	tea "github.com/charmbracelet/bubbletea"
)

// rest is how long the keyboard must rest before a new page takes a key: longer than
// between two keys of somebody who types on, shorter than it takes to read a prompt.
const rest = 250 * time.Millisecond

// gate keeps a new page from taking keys that were meant for the page before.
type gate struct {
	shut    bool
	dropped bool // a key, since the page came
	n       int  // of the rest that is waited for; an earlier one opens nothing
}

// rested says that a rest is over.
type rested int

// shutFor begins the rest of a page that is new.
func (g *gate) shutFor() tea.Cmd {
	g.dropped = false
	return g.again()
}

// drop discards a key: the rest starts again.
func (g *gate) drop() tea.Cmd {
	g.dropped = true
	return g.again()
}

func (g *gate) again() tea.Cmd {
	g.shut = true
	g.n++
	n := rested(g.n)
	return tea.Tick(rest, func(time.Time) tea.Msg { return n })
}

// open reports whether the page takes keys from now on.
func (g *gate) open(r rested) bool {
	opens := g.shut && int(r) == g.n
	if opens {
		g.shut = false
	}
	return opens
}
