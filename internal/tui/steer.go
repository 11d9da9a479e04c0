package tui

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// steering is an action on the re-wrap that is being asked for: it is done when
// somebody has said who asks, since it becomes an event of the transcript.
type steering struct {
	action engine.Action
	typing bool   // the rate is being typed
	digits string // of it
	odd    bool   // the last key was no digit
}

// maxDigits bounds a typed rate.
const maxDigits = 6

// steer takes a key while the re-wrap runs and no question is open.
func (m *model) steer(key string) {
	switch {
	case m.view.Progress == nil:
		m.steering = nil
	case m.steering == nil:
		m.steering = m.wish(key)
	case key == "esc":
		m.steering = nil
	case m.steering.typing:
		m.steering.typed(key)
	default:
		n, err := strconv.Atoi(key)
		if who := m.people(); err == nil && n >= 1 && n <= len(who) {
			m.do(who[n-1])
		}
	}
}

// wish is the action that a key asks for.
func (m *model) wish(key string) *steering {
	switch key {
	case "p":
		if paused, _, _ := m.control.Now(); paused {
			return &steering{action: engine.Resume}
		}
		return &steering{action: engine.Pause}
	case "-":
		return &steering{action: engine.Slower}
	case "+", "=":
		return &steering{action: engine.Faster}
	case "r":
		return &steering{action: engine.SetRate, typing: true}
	}
	return nil
}

func (s *steering) typed(key string) {
	s.odd = false
	switch {
	case key == "backspace" && s.digits != "":
		s.digits = s.digits[:len(s.digits)-1]
	case key == "enter" && s.digits != "":
		s.typing = false
	case len(key) == 1 && key >= "0" && key <= "9" && len(s.digits) < maxDigits:
		s.digits += key
	default:
		s.odd = key != "backspace"
	}
}

func (m *model) do(by string) {
	rate := int(m.view.Progress.Rate)
	if m.steering.action == engine.SetRate {
		rate, _ = strconv.Atoi(m.steering.digits) // digits only
	}
	m.control.Do(m.steering.action, by, rate)
	m.steering = nil
}

// people are those who attend.
func (m *model) people() []string {
	if m.view.Attended == "" {
		return nil
	}
	return strings.Split(m.view.Attended, ", ")
}

// line asks what is still to be said.
func (s *steering) line(present []string) string {
	if s.typing {
		what := "envelopes per second, 0 for no limit"
		if s.odd {
			what = fmt.Sprintf("refused: digits only, at most %d", maxDigits)
		}
		return fmt.Sprintf(" %s: %s_   enter ok   esc cancel", what, s.digits)
	}
	var b strings.Builder
	fmt.Fprintf(&b, " %s: who asks? ", s.action)
	for i, name := range present {
		fmt.Fprintf(&b, " %d %s ", i+1, name)
	}
	return b.String() + "  esc cancel"
}
