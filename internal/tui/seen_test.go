package tui

import (
	"context"
	"fmt"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/signing"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// TestSeenBeforeSigned: however long a page is, and on a narrow screen too, the digest and who signs stand
// beside the prompt. What an earlier run answered is a line and a key.
func TestSeenBeforeSigned(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {40, 24}} {
		p := newPage(t)
		p.width, p.height = size[0], size[1]
		r := rotation("", "alice")
		r.Purpose, r.Plan = engine.Final, nil
		for i := range 6 {
			r.Earlier = append(r.Earlier, signing.Said{Name: fmt.Sprintf("question%d", i), Value: "not applicable"})
			r.Done = append(r.Done, fmt.Sprintf("What was done, part %d.", i))
		}
		p.consents(r)
		p.rest()
		for range 3 { // wherever it is scrolled to
			for _, says := range []string{"abab abab abab abab", "alice", "signed", "bob", "must sign", "carol", "> _"} {
				p.shows(says, true)
			}
			p.press("pgdown")
		}
		p.shows("6 answers of an earlier run", true)
		p.shows("not applicable", false)
		p.press("ctrl+p")
		p.shows("only if these are your answers:", true)
		p.shows("question5", true)
		p.press("followed", "enter") // covered, it takes no word
		p.stillOpen()
		p.press("esc")
		p.rest()
		p.shows("> _", true)
	}
}

// TestPlanReadOn: a plan that is longer than the screen says so before its prompt, and takes no word before
// its end was in sight, nor the Enter that goes on once others have signed elsewhere. What an overlay showed,
// or a page of another plan, is not this page. The word stays in its field.
func TestPlanReadOn(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {40, 24}} {
		p := newPage(t)
		p.width, p.height = size[0], size[1]
		r := rotation("")
		for i := range 12 {
			r.Plan = append(r.Plan, signing.Effect{Verb: "switch", Object: fmt.Sprint("part ", i), Undo: "rotate back"})
		}
		words := p.consents(r)
		p.rest()
		p.shows("Read the rest first, with pgdn.", true)
		p.shows("part 11", false)
		p.press("ctrl+g")
		p.toEnd()
		p.press("esc")
		p.rest()
		p.press("2", "enter")
		p.stillOpen()
		p.shows("Not taken yet. Read the rest", true)
		p.shows("> 2", true)
		p.toEnd()
		p.shows("part 11", true)
		p.shows("Read the rest", false)
		p.press("pgup", "pgup") // it was in sight
		p.shows("Read the rest", false)
		p.press("enter")
		came(p, words, engine.Consent{Signer: "alice", Word: "2"}, nil)

		r.Signers[0].Signed = true
		words = p.consents(r)
		p.press("2", "enter")
		came(p, words, engine.Consent{Signer: "bob", Word: "2"}, nil)

		r.Digest = strings.Repeat("cd", 32) // another plan, which was signed elsewhere
		r.Signers[1].Signed = true
		words = p.consents(r)
		p.rest()
		p.shows("part 11", false)
		p.press("enter")
		p.stillOpen()
		p.toEnd()
		p.press("enter")
		came(p, words, engine.Consent{}, engine.ErrEnough)
	}
}

// TestSeenPageByPage: the end of a page is not enough where the middle was never in sight, as after the window
// became narrower.
func TestSeenPageByPage(t *testing.T) {
	p := newPage(t)
	r := rotation("")
	for i := range 12 {
		r.Plan = append(r.Plan, signing.Effect{Verb: "switch", Object: fmt.Sprint("part ", i), Undo: "rotate back"})
	}
	words := p.consents(r)
	p.rest()
	p.press("pgdown")
	p.Update(tea.WindowSizeMsg{Width: 40, Height: 24})
	p.toEnd()
	p.press("2", "enter")
	p.stillOpen()
	for range 20 {
		p.press("pgup")
	}
	p.toEnd()
	p.press("enter")
	came(p, words, engine.Consent{Signer: "alice", Word: "2"}, nil)
}

// TestTooSmallToSign: where no line of a page has room, its end is never in sight.
func TestTooSmallToSign(t *testing.T) {
	p := newPage(t)
	p.width, p.height = 24, 10
	p.consents(rotation("", "alice"))
	p.rest()
	p.toEnd()
	p.press("2", "enter")
	p.stillOpen()
	p.shows("enlarge it", true)
}

// toEnd scrolls to the end of what is on the screen.
func (p page) toEnd() {
	for i := 0; i < 40 && strings.Contains(p.View(), "pgdn: more"); i++ {
		p.press("pgdown")
	}
}

// TestHeldReadOn: a page that waits until it was read does not end while its end is out of sight.
func TestHeldReadOn(t *testing.T) {
	p := newPage(t)
	v := engine.View{Step: "probe", Title: "Probe", N: 5, Of: 20}
	for i := range 30 {
		v.Details = append(v.Details, engine.Detail{Name: "fact", Value: fmt.Sprint("value ", i)})
	}
	p.room.Show(v)
	p.mailed()
	held := asking(p, func(ctx context.Context) (struct{}, error) { return struct{}{}, p.room.Hold(ctx) })
	p.rest()
	p.shows(text.ReadOn, true)
	p.shows(text.Read, false)
	for i := 0; i < 9 && !strings.Contains(p.View(), text.Read); i++ {
		p.press("enter")
		p.stillOpen()
	}
	p.shows("value 29", true)
	p.press("enter")
	came(p, held, struct{}{}, nil)
}
