package tui

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/rogpeppe/go-internal/txtar"
)

// standing is a home page of a store with an unfinished ceremony and two transcripts.
var standing = Front{
	Store: "mongodb://db.example/app", Heading: 11,
	Lines: []string{
		"lock       provider pkcs11, chain 69c620784a5db9015f0f9b6fd31f0a11",
		"versions   1  retired   kek-69c62078-v1  generated 2026-11-23, ceremony 1",
		"           2  active    kek-69c62078-v2  generated 2026-11-25, ceremony 2",
		"envelopes  1,204,118 at version 2; fields: 6",
		"fleet      live    3 app  writes 2, reads 1 and 2, seen 2 s ago",
		"ceremony   3  disable, open, bundle 2026-11-26T093000Z-0003-disable",
	},
	Sections: []Section{
		{"Due", []Choice{
			{Says: "Continue: ceremony 3, disable, is not finished", Command: "kekceremony disable --version 1",
				Args: []string{"disable", "--version", "1"}},
			{Says: "The key of bob is good until 2026-12-31", Command: "kekceremony roster",
				Args: []string{"roster"}, Opens: true},
			{Says: "The store has no such chain", Command: "kekceremony transcript verify --chain DIR --store URI",
				Args: nil},
		}},
		{"Ceremonies: all others wait until ceremony 3 is finished", []Choice{
			{Says: "Abort ceremony 3, disable: what it did stays done", Command: "kekceremony abort",
				Args: []string{"abort"}},
		}},
		{"Look, read and verify", []Choice{
			{Says: "Show transcript 2026-11-25T140509Z-0002-rotate",
				Command: "kekceremony transcript show /srv/2026-11-25T140509Z-0002-rotate",
				Args:    []string{"transcript", "show", "/srv/2026-11-25T140509Z-0002-rotate"}},
		}},
	},
}

func newHome(width, height int, g glyphs, keys ...tea.KeyType) *home {
	h := &home{glyphs: g, width: width, height: height}
	h.Update(loaded{front: standing})
	for _, k := range keys {
		h.Update(tea.KeyMsg{Type: k})
	}
	return h
}

// TestHome: the arrows choose, Enter begins what a command says by itself, and nothing else; q begins
// nothing.
func TestHome(t *testing.T) {
	down, enter := tea.KeyDown, tea.KeyEnter
	for _, c := range []struct {
		keys []tea.KeyType
		want string
	}{
		{[]tea.KeyType{enter}, "disable --version 1"},
		{[]tea.KeyType{down, enter}, ""},        // it would open a ceremony: that is asked
		{[]tea.KeyType{down, enter, enter}, ""}, // which Enter does not answer
		{[]tea.KeyType{down, down, enter}, ""},  // words in capitals are for people to fill in
		{[]tea.KeyType{down, down, down, enter}, "abort"},
		{[]tea.KeyType{down, down, down, down, down, down, down, tea.KeyUp, down, enter},
			"transcript show /srv/2026-11-25T140509Z-0002-rotate"},
		{[]tea.KeyType{tea.KeyCtrlC, tea.KeyCtrlC}, ""},
		{[]tea.KeyType{tea.KeyCtrlG, enter}, ""}, // the help covers it
	} {
		if got := strings.Join(newHome(80, 24, unicodeGlyphs, c.keys...).chosen, " "); got != c.want {
			t.Errorf("%v began %q, want %q", c.keys, got, c.want)
		}
	}
	h := newHome(80, 24, unicodeGlyphs, down, enter)
	if s := h.View(); !strings.Contains(s, "Open this ceremony?") || !strings.Contains(s, "All others wait") {
		t.Errorf("not asked:\n%s", s)
	}
	if h.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("y")}); strings.Join(h.chosen, " ") != "roster" {
		t.Errorf("after y: %q", h.chosen)
	}
	early := &home{glyphs: unicodeGlyphs, width: 80, height: 24, load: func() tea.Msg { return nil }}
	early.Update(tea.KeyMsg{Type: enter}) // nothing is there yet
	if early.chosen != nil || !strings.Contains(early.View(), "Reading the store") {
		t.Errorf("before it was read: %v\n%s", early.chosen, early.View())
	}
	early.Update(loaded{err: context.Canceled})
	if early.err != context.Canceled {
		t.Error("an error of the store is lost")
	}
}

// TestHomePages compares the home page with testdata/home.txtar; -update writes it again. At every size
// it keeps the rules of pages, and what Enter begins is in view.
func TestHomePages(t *testing.T) {
	path := filepath.Join("testdata", "home.txtar")
	now := &txtar.Archive{Comment: []byte("The home page: how things stand, what is due, what can be begun.\n")}
	add := func(name string, h *home) {
		now.Files = append(now.Files, txtar.File{Name: name, Data: []byte(screen(h.View()))})
	}
	add("80x24", newHome(80, 24, unicodeGlyphs))
	add("80x24 last", newHome(80, 24, unicodeGlyphs, tea.KeyDown, tea.KeyDown, tea.KeyDown, tea.KeyDown, tea.KeyDown))
	add("80x24 help", newHome(80, 24, unicodeGlyphs, tea.KeyCtrlG))
	add("80x24 ascii", newHome(80, 24, asciiGlyphs))
	now.Files = append(now.Files, txtar.File{Name: "80x24 colors", Data: []byte(colored(func() string {
		return newHome(80, 24, unicodeGlyphs).View()
	}))})
	add("40x24", newHome(40, 24, unicodeGlyphs))
	add("40x24 last", newHome(40, 24, unicodeGlyphs, tea.KeyDown, tea.KeyDown, tea.KeyDown, tea.KeyDown, tea.KeyDown))
	add("120x40", newHome(120, 40, unicodeGlyphs))
	add("160x50", newHome(160, 50, unicodeGlyphs))
	if *update {
		if err := os.WriteFile(path, txtar.Format(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if was, err := os.ReadFile(path); err != nil || string(was) != string(txtar.Format(now)) {
		t.Errorf("the home page is now (%v)\n%s", err, txtar.Format(now))
	}
	for _, size := range screens {
		for at := range standing.choices() {
			h := newHome(size[0], size[1], asciiGlyphs)
			h.at = at
			lines := strings.Split(h.View(), "\n")
			if len(lines) > size[1] || size[1] >= 12 && !strings.Contains(h.View(), asciiGlyphs.now) {
				t.Errorf("choice %d at %v:\n%s", at, size, h.View())
			}
			for _, line := range lines {
				beyond := func(r rune) bool { return r >= 0x80 || r < ' ' } // no SGR either
				if ansi.StringWidth(line) >= size[0] || strings.ContainsFunc(line, beyond) {
					t.Errorf("at %v: %q", size, line)
				}
			}
		}
	}
}
