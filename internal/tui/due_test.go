package tui

import (
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// TestToAct: at the right stands who must act on what is truly open: while a digest is compared, once it
// matches for everybody, while somebody says that it does not, and over whatever covers the page.
func TestToAct(t *testing.T) {
	p := newPage(t)
	p.width, p.height = 160, 50
	p.room.Remarks(func(engine.Remark) error { return nil })
	p.consents(rotation(""))
	p.rest()
	toAct := func(want string) {
		t.Helper()
		if _, says := p.toAct(); says != want {
			t.Errorf("to act: %q, want %q:\n%s", says, want, p.View())
		}
		p.shows("TO ACT", true)
	}
	toAct("alice: type 2")
	p.press("ctrl+y")
	p.rest()
	toAct("alice: does all of it match? y yes, n no")
	p.press("y", "y", "y")
	toAct("it matches for everybody: press Enter")
	p.press("enter")
	p.rest()
	toAct("alice: type 2")

	p.consents(rotation(""))
	p.read = nil // another digest would be compared again
	p.press("ctrl+y")
	p.rest()
	p.press("y", "y", "n")
	p.shows("carol: it does not match", true)
	p.press("esc")
	p.rest()
	toAct("carol: compare it again, or stop")
	p.shows("It does not match for carol. Nobody signs it before ^y compares it again.", true)
	p.press("ctrl+o")
	p.shows("Still to do: carol: compare it again, or stop", true)
	p.press("esc")
	p.rest()
	p.press("ctrl+y")
	p.rest()
	p.press("y", "enter")
	p.rest()
	toAct("alice: type 2")

	p.press("ctrl+x")
	toAct("report the deviation: What did you expect?")
	p.press("ctrl+g")
	p.shows("Still to do: report the deviation: What did you expect?", true)
	p.press("esc")
	p.rest()
	p.press("esc")
	p.rest()
	p.press("ctrl+c")
	toAct("say whether to stop")
	p.press("n")
	toAct("alice: type 2")
}

// TestRecorded: a report has an answer, until a key is pressed.
func TestRecorded(t *testing.T) {
	p := newPage(t)
	p.room.Remarks(func(engine.Remark) error { return nil })
	p.asked(bags)
	p.rest()
	report := func(said string) {
		p.press("ctrl+x", "three", "enter", "two", "enter", "went on", "enter", "alice")
		_, cmd := p.Update(tea.KeyMsg{Type: tea.KeyEnter})
		p.shows(said, false)
		p.Update(cmd())
		p.shows(said, true)
		p.rest()
		p.shows(said, true)
		p.press("x")
		p.shows("Recorded", false)
	}
	report("Recorded. 1 deviation so far.")
	p.view.Reported = 1
	report("Recorded. 2 deviations so far.")
}
