package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// fleet shows each process, and what it lacks.
func (b box) fleet(v engine.View) []string {
	if v.Fleet == nil {
		return nil
	}
	t := v.Fleet
	lines := para(plain, " ", text.Fleet(*t), b.page()-1)
	if v.Progress != nil {
		return lines
	}
	for _, p := range t.Processes {
		lines = append(lines, b.process(p, v)...)
	}
	if t.More {
		lines = append(lines, "   "+text.More)
	}
	return lines
}

// processMark is the mark of a process, by its word.
func processMark(word string) mark {
	switch word {
	case text.OK:
		return markDone
	case text.Needed:
		return markBad
	case text.Waits:
		return markTodo
	}
	return markNone
}

// process is the line of a process, and below it its trouble, if it has one.
func (b box) process(p engine.Process, v engine.View) []string {
	word, says := text.Process(p, v)
	style := map[string]lipgloss.Style{text.Needed: alarm, text.Silent: pending}[word]
	head, says := " "+b.of(processMark(word))+" ", style.Render(says)+", "+"seen "+text.Seen(*v.Fleet, p)
	indent := strings.Repeat(" ", 2+ansi.StringWidth(head))
	lines := []string{fmt.Sprintf("%s%-34s %s", head, p.Name, says)}
	if ansi.StringWidth(lines[0]) > b.page()-1 {
		lines = []string{head + p.Name, indent + says}
	}
	if p.Trouble == "" {
		return lines
	}
	return append(lines, para(pending, indent, p.Trouble, b.page()-1)...)
}
