package line

import (
	"github.com/certautopilot/kekceremony/internal/tui/room"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// hold waits until somebody has read what was said.
type hold struct{ q room.Hold }

func (h *hold) page() []string { return []string{text.Read} }

func (h *hold) again() []string { return h.page() }

func (h *hold) words() []word { return nil }

func (h *hold) answers(string) bool { return false }

func (h *hold) take(line string) ([]string, bool) {
	if line != "" {
		return append([]string{"Refused: nothing is asked"}, h.page()...), false
	}
	h.q.Answer(struct{}{}, nil)
	return nil, true
}
