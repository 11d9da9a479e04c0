package tui

import (
	"slices"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/rewrap"
)

// TestDeviation: a deviation is reported while somebody types an answer, which stays as it was; what
// may be a PIN is discarded, and what the log does not take is said.
func TestDeviation(t *testing.T) {
	p := newPage(t)
	var got engine.Report
	late := true
	p.room.Remarks(func(said engine.Remark) error {
		if late {
			return engine.ErrLate
		}
		got = said.(engine.Report)
		return nil
	})
	answers := p.asked(bags)
	p.rest()
	p.press("bag 7", "ctrl+x", "246810", "enter")
	p.shows("refused: expected: this may be a PIN, and was discarded", true)
	p.shows("246810", false)
	p.press("three came", "enter", "two came", "enter", "ctrl+g")
	p.shows("record the deviation", false)
	p.press("esc")
	p.rest()
	p.press("went on", "enter", "alice and bob")
	p.shows("enter record", true)
	send := func() { // as Bubble Tea runs a command
		_, cmd := p.Update(tea.KeyMsg{Type: tea.KeyEnter})
		p.Update(cmd())
	}
	send()
	p.shows("refused: "+engine.ErrLate.Error(), true)
	late = false
	send()
	p.rest()
	want := engine.Report{Expected: "three came", Seen: "two came", Decided: "went on", By: "alice and bob"}
	if got != want {
		t.Errorf("recorded %+v", got)
	}
	p.shows("> bag 7", true)
	p.press("enter")
	came(p, answers, "bag 7", nil)
}

// TestReadAloud: each person says whether a digest matches, and no key that says so signs anything. The
// page stays until everybody's does.
func TestReadAloud(t *testing.T) {
	p := newPage(t)
	var said []engine.Comparison
	p.room.Remarks(func(r engine.Remark) error { said = append(said, r.(engine.Comparison)); return nil })
	words := p.consents(rotation(""))
	p.rest()
	p.press("2", "ctrl+y")
	p.rest()
	p.shows("abab abab   rhythm Pegasus rhythm Pegasus", true)
	p.press("y", "n", "enter")
	p.shows("bob: it does not match. Nobody signs it here", true)
	p.press("y", "tab", "y")
	p.shows("It matches for everybody.", true)
	p.press("enter")
	p.rest()
	p.shows("Read aloud: alice: matches, bob: matches, carol: matches", true)
	p.shows("sign > 2", true)
	p.press("enter")
	came(p, words, engine.Consent{Signer: "alice", Word: "2"}, nil)
	digest := strings.Repeat("ab", 32)
	want := []engine.Comparison{{Digest: digest, By: "alice", Matches: true}, {Digest: digest, By: "bob"},
		{Digest: digest, By: "bob", Matches: true}, {Digest: digest, By: "carol", Matches: true}}
	if !slices.Equal(said, want) {
		t.Errorf("said: %+v", said)
	}
}

// TestLetters: letters are commands only where none is typed into a field.
func TestLetters(t *testing.T) {
	p := newPage(t)
	answers := p.asked(bags)
	p.rest()
	p.press("?gortx")
	p.shows("> ?gortx", true)
	p.press("enter")
	came(p, answers, "?gortx", nil)
	p.room.Show(engine.View{Step: "re-wrap", Attended: "alice, bob", Progress: &rewrap.Progress{}})
	p.mailed()
	p.rest()
	for key, shows := range map[string]string{"?": "Keys of this page", "g": "Keys of this page", "o": "The log so far",
		"t": "Steps of this ceremony", "ctrl+r": "The room", "x": "Report a deviation"} {
		p.press(key)
		p.shows(shows, true)
		p.press("esc")
		p.rest()
		p.shows(shows, false)
	}
}

// TestLogCovers: while the log covers a page, no key answers its question.
func TestLogCovers(t *testing.T) {
	p := newPage(t)
	answers := p.asked(bags)
	p.rest()
	p.press("ctrl+o", "enter")
	p.stillOpen()
	p.press("ctrl+o", "enter") // closed by the same key, too, the page first takes none
	p.stillOpen()
	p.rest()
	p.press("enter")
	came(p, answers, "none", nil)
}

// TestPasted: of what is pasted a field takes what people can read. Controls of direction, of width
// and of the terminal would make a page say what was not typed; an end of a line would answer.
func TestPasted(t *testing.T) {
	p := newPage(t)
	answers := p.asked(bags)
	p.rest()
	for _, pasted := range []string{"\u202e\u200b\x1b\n", "Z\u202eü\u200brich\x1b[2J\n東京\u3000Α"} {
		p.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(pasted), Paste: true})
		p.stillOpen()
		if pasted[0] == 'Z' {
			p.shows("> Zürich[2J東京\u3000Α", true)
		} else {
			p.shows("> none", true)
		}
	}
	p.press("enter")
	came(p, answers, "Zürich[2J東京\u3000Α", nil)
}

// TestNamesOfKeys: on a slow console a word comes in one read. One that is the name of a key is text: it
// moves no cursor, answers nothing, and goes nowhere.
func TestNamesOfKeys(t *testing.T) {
	p := newPage(t)
	answers := p.asked(bags)
	p.rest()
	for _, word := range []string{"left", "enter", "esc", "home", "tab", "pgup", "ctrl+c"} {
		p.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(word)})
		p.stillOpen()
	}
	p.press("enter")
	came(p, answers, "leftentereschometabpgupctrl+c", nil)
}

// TestAlt: esc before a letter comes as alt and the letter. Behind a blank, alt+d ended the program.
func TestAlt(t *testing.T) {
	p := newPage(t)
	words := p.consents(rotation(""))
	p.rest()
	p.press("2", " ")
	for _, r := range "dbfuc" {
		p.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}, Alt: true})
	}
	p.press("enter")
	came(p, words, engine.Consent{Signer: "alice", Word: "2"}, nil)
}

// TestEscThenStop: on a slow console esc and ctrl+c come in one read. It asks whether to stop, and confirms
// nothing: ctrl+c, esc, ctrl+c is no confirmed stop.
func TestEscThenStop(t *testing.T) {
	p := newPage(t)
	for range 2 {
		p.Update(tea.KeyMsg{Type: tea.KeyCtrlC, Alt: true})
		p.shows("Stop here?", true)
	}
	if p.stopped {
		t.Error("it stops unasked")
	}
	p.press("y")
	if !p.stopped {
		t.Error("ctrl+c y does not stop")
	}
}
