package tui

import (
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
)

// turnKeys are the keys of a replay.
func turnKeys(v engine.View) []key {
	if v.Ending != nil {
		return []key{{"enter", "close", "close the replay"}}
	}
	return []key{{"enter", "next page", "turn the page; nothing is answered or signed"}}
}

// turnPrompt is a page of a replay that asks nothing.
type turnPrompt struct{ q room.Turn }

func (p *turnPrompt) update(tea.Msg) (tea.Cmd, bool) { return nil, false }

func (p *turnPrompt) typing() bool { return false }

func (p *turnPrompt) due() string { return "turn the page" }

func (p *turnPrompt) body(v engine.View, b box) []string { return b.found(v, time.Time{}) }

func (p *turnPrompt) act(box) []string { return nil }

func (p *turnPrompt) keys() []key { return nil }

func (p *turnPrompt) dismiss(err error) { p.q.Answer(struct{}{}, err) }
