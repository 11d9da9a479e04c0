package tui

import (
	"context"
	"errors"
	"os"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// Home shows the home page of what load finds, until somebody chooses. It returns the arguments of the
// command that was chosen; none: nothing is to be begun. The terminal is left as it was.
func Home(
	ctx context.Context, t *engine.Terminal, load func(context.Context) (Front, error),
) (args []string, err error) {
	defer func() { err = errors.Join(err, t.Restore()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lipgloss.SetHasDarkBackground(dark(os.Getenv("COLORFGBG")))
	h := &home{glyphs: glyphsOf(os.Getenv), load: func() tea.Msg {
		f, err := load(ctx)
		return loaded{f, err}
	}}
	h.width, h.height = t.Size()
	p := tea.NewProgram(h, append(options(), tea.WithContext(ctx))...)
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
		return h, h.key(msg.String())
	}
	return h, nil
}

func (h *home) key(name string) tea.Cmd {
	switch name {
	case "q", "ctrl+c":
		return tea.Quit
	case "ctrl+l":
		return tea.Batch(tea.ClearScreen, tea.WindowSize())
	case "?", "ctrl+g":
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
	switch name {
	case "up", "k":
		h.at = max(0, h.at-1)
	case "down", "j":
		h.at = max(0, min(len(all)-1, h.at+1))
	case "enter":
		if h.at < len(all) && all[h.at].Args != nil {
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
	page := b.top(name, store)
	bottom := b.bottom()
	body, chosen := h.body(b)
	foot := h.foot(b)
	room := max(0, b.height-len(page)-len(bottom)-len(foot)-2)
	h.from = min(max(h.from, chosen-room+2), max(0, chosen-1))
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
	for _, line := range h.front.Lines {
		at := min(h.front.Heading, len(line))
		lines = append(lines, para(plain, " "+past.Render(line[:at]), line[at:], b.page())...)
	}
	n := 0
	for _, s := range h.front.Sections {
		lines = append(lines, "", " "+strong.Render(s.Title))
		for _, c := range s.Choices {
			head, style := "   "+strings.Repeat(" ", ansi.StringWidth(b.todo)), plain
			if n == h.at {
				head, style, chosen = "  "+b.of(markNow)+" ", accent, len(lines)
			}
			if n++; c.Args == nil {
				style = pending
			}
			lines = append(lines, head+style.Render(ansi.Truncate(c.Says, b.page()-8, b.more)))
		}
	}
	return lines, chosen
}

// foot is the command of the choice.
func (h *home) foot(b box) []string {
	if h.front == nil || h.help || h.at >= len(h.front.choices()) {
		return []string{""}
	}
	c := h.front.choices()[h.at]
	head := " runs  "
	if c.Args == nil {
		head = " type  " // its words in capitals are for people to fill in
	}
	return []string{past.Render(head) + ansi.Truncate(c.Command, b.width-12, b.more)}
}

func (h *home) keys(b box) string {
	keys := " up, down choose   enter open   q quit   ? help"
	if !b.ascii() {
		keys = " ↑↓ choose   enter open   q quit   ? help"
	}
	if h.help {
		keys = " esc close   u ASCII on or off   q quit"
	}
	return keys
}

func homeHelp() []string {
	return []string{strong.Render(" Keys of this page"), "",
		"   up, down     choose; k and j too", "   enter        run the command that stands below",
		"   q, ctrl+c    quit: nothing was begun", "   ctrl+l       draw the screen again",
		"   u            on this page: draw with ASCII characters alone, or not", "",
		" The commands are those that you would type: each asks and refuses as always."}
}
