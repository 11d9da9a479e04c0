package tui

import (
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
)

// turnKeys are the keys of a replay.
func turnKeys(v engine.View) string {
	if v.Ending != nil {
		return "enter close   ctrl+o log"
	}
	return "enter next page   ctrl+o log   ctrl+c stop"
}

// turnPrompt is a page of a replay that asks nothing.
type turnPrompt struct{ q room.Turn }

func (p *turnPrompt) update(tea.Msg) (tea.Cmd, bool) { return nil, false }

func (p *turnPrompt) body(v engine.View, width int) []string { return found(v, width, time.Time{}) }

func (p *turnPrompt) act(int) []string { return nil }

func (p *turnPrompt) keys() string { return "" }

func (p *turnPrompt) dismiss(err error) { p.q.Answer(struct{}{}, err) }
