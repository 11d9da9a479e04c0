package tui

import (
	"context"
	"errors"
	"os"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// Home shows the home page of what load finds, until somebody chooses. It returns the arguments of the
// command that was chosen; none: nothing is to be begun. The terminal is left as it was.
func Home(
	ctx context.Context, t *engine.Terminal, load func(context.Context) (Front, error),
) (args []string, err error) {
	defer func() { err = errors.Join(err, t.Restore()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	paint(groundOf(os.Getenv))
	h := &home{glyphs: glyphsFor(t), load: func() tea.Msg {
		f, err := load(ctx)
		return loaded{f, err}
	}}
	h.width, h.height = t.Size()
	p := tea.NewProgram(h, append(options(t), tea.WithContext(ctx))...)
	if _, err := p.Run(); err != nil && !errors.Is(err, tea.ErrProgramKilled) {
		return nil, err
	}
	return h.chosen, errors.Join(h.err, context.Cause(ctx))
}

// home is the home page.
type home struct {
	glyphs
	load          tea.Cmd
	front         *Front // nil: it is being read
	err           error
	at            int // the choice that Enter begins
	from          int // the first line in sight
	help          bool
	asks          bool // whether the choice is really to be begun
	chosen        []string
	width, height int
}

type loaded struct {
	front Front
	err   error
}

// Init implements tea.Model.
func (h *home) Init() tea.Cmd { return h.load }

// Update implements tea.Model.
func (h *home) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case loaded:
		if h.err = msg.err; h.err != nil {
			return h, tea.Quit
		}
		h.front = &msg.front
	case tea.WindowSizeMsg:
		if msg.Width > 0 && msg.Height > 0 { // a serial line says 0x0
			h.width, h.height = msg.Width, msg.Height
		}
	case tea.KeyMsg:
		if msg, ok := readable(msg); ok {
			return h, h.key(msg.String())
		}
	}
	return h, nil
}

func (h *home) key(name string) tea.Cmd {
	switch name {
	case "q", "ctrl+c", "alt+ctrl+c":
		return tea.Quit
	case "ctrl+l":
		return tea.Batch(tea.ClearScreen, tea.WindowSize())
	case "?", helpCommand.letter, helpCommand.ctrl():
		h.help = !h.help
		return nil
	case "esc":
		h.help = false
		return nil
	case "u":
		if h.help {
			h.glyphs = h.glyphs.other()
		}
		return nil
	}
	if h.front == nil || h.help {
		return nil
	}
	all := h.front.choices()
	if h.asks {
		if h.asks = false; name == "y" {
			h.chosen = all[h.at].Args
			return tea.Quit
		}
		return nil
	}
	switch name {
	case "up", "k":
		h.at = max(0, h.at-1)
	case "down", "j":
		h.at = max(0, min(len(all)-1, h.at+1))
	case "enter":
		switch {
		case h.at >= len(all) || all[h.at].Args == nil:
		case all[h.at].Opens:
			h.asks = true
		default:
			h.chosen = all[h.at].Args
			return tea.Quit
		}
	}
	return nil
}

// View implements tea.Model.
func (h *home) View() string {
	b := boxOf(h.glyphs, h.width, h.height, true)
	b.open = false
	store := ""
	if h.front != nil {
		store = h.front.Store
	}
	name := "kekceremony"
	if room := b.width - len(name) - 10; ansi.StringWidth(store) > room {
		store = ansi.Truncate(store, max(0, room), b.more)
	}
	page := b.top(strong.Render(name), store, "")
	bottom := b.bottom("")
	foot := h.foot(b)
	body, chosen := h.body(b)
	if h.front != nil && !h.help && b.width >= homeWide {
		body, chosen = h.beside(b)
	}
	room := max(0, b.height-len(page)-len(bottom)-len(foot)-2)
	room = min(room, max(homeRows, len(body)+1))               // on a high screen the page ends where its text does
	h.from = min(max(h.from, chosen-room+2), max(0, chosen-1)) // what Enter begins is in sight
	h.from = min(max(0, h.from), max(0, len(body)-room))
	note := ""
	if len(body) > h.from+room {
		note = "more below"
	}
	for i := range room {
		line := ""
		if h.from+i < len(body) {
			line = body[h.from+i]
		}
		page = append(page, b.row("", line, ""))
	}
	page = append(page, b.rule(note))
	for _, line := range foot {
		page = append(page, b.whole(line))
	}
	page = append(append(page, b.whole(h.keys(b))), bottom...)
	return b.safe(strings.Join(page[:min(len(page), b.height)], "\n"))
}

// body is how things stand and the choices, and the line of the one that Enter begins.
func (h *home) body(b box) (lines []string, chosen int) {
	switch {
	case h.help:
		return homeHelp(), 0
	case h.front == nil:
		return []string{"", " Reading the store ..."}, 0
	}
	lines = h.standing(b.page())
	choices, chosen := h.choices(b, b.page())
	return append(lines, choices...), chosen + len(lines)
}

// homeRows is the fewest rows that the home page has for its body, if the screen has them.
const homeRows = 18

// homeWide is the narrowest home page that has the choices beside how things stand.
const homeWide = 140

// beside is the body of a wide page.
func (h *home) beside(b box) (lines []string, chosen int) {
	left := b.page() / 2
	stand := append([]string{" " + strong.Render("How things stand"), ""}, h.standing(left)...)
	choices, chosen := h.choices(b, b.page()-left-1)
	choices, chosen = choices[1:], chosen-1
	for i := range max(len(stand), len(choices)) {
		line := [2]string{}
		for part, rows := range [][]string{stand, choices} {
			if i < len(rows) {
				line[part] = rows[i]
			}
		}
		lines = append(lines, pad(line[0], left)+" "+line[1])
	}
	return lines, chosen
}

// standing is how things stand.
func (h *home) standing(width int) (lines []string) {
	for _, line := range h.front.Lines {
		at := min(h.front.Heading, len(line))
		lines = append(lines, para(plain, " "+past.Render(line[:at]), line[at:], width)...)
	}
	return lines
}

// choices are the sections, and the line of the one that Enter begins.
func (h *home) choices(b box, width int) (lines []string, chosen int) {
	n := 0
	for _, s := range h.front.Sections {
		lines = append(append(lines, ""), para(strong, " ", s.Title, width)...)
		for _, c := range s.Choices {
			head, style := "   "+strings.Repeat(" ", ansi.StringWidth(b.todo)), plain
			if n == h.at {
				head, style, chosen = "  "+b.of(markNow)+" ", accent, len(lines)
			}
			if n++; c.Args == nil {
				style = pending
			}
			lines = append(lines, para(style, head, c.Says, width-1)...)
		}
	}
	return lines, chosen
}

// foot is the command of the choice, in full.
func (h *home) foot(b box) (lines []string) {
	if h.front == nil || h.help || h.at >= len(h.front.choices()) {
		return []string{""}
	}
	if h.asks {
		return para(accent, " ", "This opens a ceremony, from now on. All others wait until people have finished it, "+
			"or a quorum has aborted it.", b.width-2)
	}
	c := h.front.choices()[h.at]
	head := " runs  "
	if c.Args == nil {
		head = " type  " // its words in capitals are for people to fill in
	}
	width := b.width - 3 - len(head)
	for _, line := range text.Command(c.Command, width) {
		for row := range strings.SplitSeq(ansi.Hardwrap(line, width, true), "\n") { // a path may be longer than a row
			lines = append(lines, past.Render(head)+row)
			head = strings.Repeat(" ", len(head))
		}
	}
	return lines[:min(len(lines), max(1, b.height/3))]
}

func (h *home) keys(b box) string {
	arrows, gap := "↑↓", "   "
	if b.ascii() {
		arrows = "up, down"
	}
	if b.width < framedWidth {
		gap = "  "
	}
	keys := []string{arrows + " choose", "enter open", "q quit", helpCommand.alone().short()}
	if h.asks {
		keys = []string{"Open this ceremony?  y open", "any other key: not now"}
	}
	if h.help {
		keys = []string{"esc close", "u ASCII on or off", "q quit"}
	}
	return ansi.Truncate(" "+strings.Join(keys, gap), b.width, b.more)
}

func homeHelp() []string {
	return []string{strong.Render(" Keys of this page"), "",
		"   up, down     choose; k and j too", "   enter        run the command that stands below, then come back here",
		"   q, ctrl+c    quit", "   ctrl+l       draw the screen again",
		"   u            on this page: draw with ASCII characters alone, or not", "",
		" The commands are those that you would type: each asks and refuses as always."}
}
