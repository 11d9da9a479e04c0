package line

import (
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/tui/room"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// form is one question of the engine's.
type form struct {
	q room.Form
	n int // of the step's questions
}

func (f *form) page() []string {
	q := f.q.Q.Field
	lines := []string{"", fmt.Sprintf("Question %d: %s", f.n, q.Question)}
	if q.Help != "" {
		lines = append(lines, "  Form: "+q.Help)
	}
	return append(lines, f.proposed()...)
}

func (f *form) again() []string {
	var lines []string
	if f.q.Q.Refused != nil {
		lines = append(lines, "Refused: "+text.Refused(f.q.Q))
	}
	return append(append(lines, f.q.Q.Field.Question), f.proposed()...)
}

// enterAlone stands before what is answered by an empty line.
const enterAlone = "  Enter alone answers: "

func (f *form) proposed() []string {
	if f.q.Q.Value == "" {
		return nil
	}
	return []string{enterAlone + printable.Typed(f.q.Q.Value)}
}

func (f *form) answers(line string) bool { return strings.HasPrefix(line, literal) }

func (f *form) words() []word {
	return []word{
		{"back", "go to the question before", func(shown *face) {
			if f.q.Q.First {
				shown.say(text.NothingBefore + " Answer it, or type stop.")
				shown.again()
				return
			}
			shown.answered(func() { f.q.Answer("", engine.ErrBack) })
		}},
	}
}

func (f *form) take(line string) ([]string, bool) {
	if line == "" {
		line = f.q.Q.Value
	}
	f.q.Answer(strings.TrimPrefix(line, literal), nil)
	return nil, true
}
