package line

import (
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// choice is a step that failed. Of a deviation the reason to continue is typed, and a stop is confirmed.
type choice struct {
	q                room.Choose
	typing, stopping bool
}

// The choices, in the order of their numbers.
var choices = []string{"again", "stop", "deviation"}

func (c *choice) page() []string {
	lines := []string{"", text.Failed(c.q.Q) + ": " + c.q.Q.Err.Error()}
	for hint := range strings.Lines(c.q.Q.Hint) {
		lines = append(lines, "Hint: "+strings.TrimSuffix(hint, "\n"))
	}
	return slices.Concat(lines, []string{text.Advice(c.q.Q)}, c.again())
}

func (c *choice) again() (lines []string) {
	if c.stopping {
		return []string{stopQuestion, yesOrNo}
	}
	if err := c.q.Q.Refused; err != nil && !c.typing {
		lines = append(lines, "Refused: "+err.Error())
	}
	if c.typing {
		return append(lines, "Why do you continue? (back: not)")
	}
	lines = append(lines, "  1 again: try again", "  2 stop: rerun the command later")
	if c.q.Q.Deviation != nil {
		lines = append(lines, "  3 deviation: continue, for a reason that is recorded")
	}
	return append(lines, "Type a number, or its word.")
}

func (c *choice) answers(line string) bool {
	if c.stopping {
		return true
	}
	if c.typing {
		return strings.HasPrefix(line, literal)
	}
	return slices.Contains(choices, line)
}

func (c *choice) words() []word {
	if !c.typing {
		return nil
	}
	return []word{{"back", "do not continue with a deviation", func(f *face) {
		c.typing = false
		f.again()
	}}}
}

func (c *choice) take(line string) ([]string, bool) {
	switch {
	case c.stopping && !yes(line) && !no(line):
		return []string{yesOrNo}, false
	case c.stopping:
		if c.stopping = false; !yes(line) {
			return append([]string{notStopped}, c.again()...), false
		}
		c.q.Answer(engine.Choice{}, nil)
		return nil, true
	case c.typing && line == "":
		return c.again(), false
	case c.typing:
		c.q.Answer(engine.Choice{Decided: strings.TrimPrefix(line, literal)}, nil)
		return nil, true
	case line == "1" || line == "again":
		c.q.Answer(engine.Choice{Retry: true}, nil)
		return nil, true
	case line == "2" || line == "stop":
		c.stopping = true
		return c.again(), false
	case c.q.Q.Deviation != nil && (line == "3" || line == "deviation"):
		c.typing = true
		return c.again(), false
	case strings.TrimSpace(line) != "":
		return append([]string{"Refused: none of the choices"}, c.again()...), false
	}
	return c.again(), false
}
