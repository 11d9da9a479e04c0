package tui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/term"
	"github.com/certautopilot/kekceremony/internal/tui/room"
)

// page is a model with an engine's side that asks it.
type page struct {
	*model
	t *testing.T
}

func newPage(t *testing.T) page {
	m := &model{room: room.New(), control: rewrap.NewControl(0), cancel: func(error) {}, now: time.Now,
		glyphs: unicodeGlyphs}
	m.width, m.height = 80, 24
	return page{m, t}
}

// mailed has the model take what was posted.
func (p page) mailed() { p.take(p.wait().(room.Mail)) }

// rest has the keyboard rest as long as a new page wants.
func (p page) rest() { p.Update(rested(p.gate.n)) }

// press takes keys by name, or a text as keys.
func (p page) press(keys ...string) {
	named := map[string]tea.KeyType{"enter": tea.KeyEnter, "backspace": tea.KeyBackspace, "ctrl+c": tea.KeyCtrlC,
		"ctrl+n": tea.KeyCtrlN, "ctrl+e": tea.KeyCtrlE, "ctrl+o": tea.KeyCtrlO, "esc": tea.KeyEsc, "tab": tea.KeyTab,
		"pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp, "ctrl+x": tea.KeyCtrlX, "ctrl+g": tea.KeyCtrlG, "ctrl+t": tea.KeyCtrlT,
		"ctrl+r": tea.KeyCtrlR, "ctrl+y": tea.KeyCtrlY, "ctrl+p": tea.KeyCtrlP, "ctrl+f": tea.KeyCtrlF}
	for _, key := range keys {
		p.View() // Bubble Tea draws after each message
		if kind, ok := named[key]; ok {
			p.Update(tea.KeyMsg{Type: kind})
			continue
		}
		for _, r := range key {
			_, cmd := p.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}})
			if p.reading && (r == 'y' || r == 'n') {
				p.Update(cmd()) // what the engine says to it
			}
		}
	}
}

func (p page) shows(text string, want bool) {
	p.t.Helper()
	if strings.Contains(p.View(), text) != want {
		p.t.Errorf("is %q in sight? want %t:\n%s", text, want, p.View())
	}
}

// given is what came back to the engine.
type given[A any] struct {
	a   A
	err error
}

// asking asks in the engine's place, and has the page come.
func asking[A any](p page, ask func(context.Context) (A, error)) chan given[A] {
	answers := make(chan given[A], 1)
	go func() {
		a, err := ask(p.t.Context())
		answers <- given[A]{a, err}
	}()
	p.mailed()
	return answers
}

func (p page) asked(q engine.Question) chan given[string] {
	return asking(p, func(ctx context.Context) (string, error) { return p.room.Ask(ctx, q) })
}

func (p page) consents(r engine.Request) chan given[engine.Consent] {
	return asking(p, func(ctx context.Context) (engine.Consent, error) { return p.room.Consent(ctx, r) })
}

// came waits for an answer and compares it.
func came[A comparable](p page, answers chan given[A], want A, err error) {
	p.t.Helper()
	select {
	case got := <-answers:
		if got.a != want || !errors.Is(got.err, err) {
			p.t.Errorf("%v, %v came, want %v, %v", got.a, got.err, want, err)
		}
	case <-time.After(5 * time.Second):
		p.t.Fatalf("nothing came, want %v, %v:\n%s", want, err, p.View())
	}
}

// stillOpen demands that the question is still open.
func (p page) stillOpen() {
	p.t.Helper()
	if p.ask == nil {
		p.t.Errorf("it was answered:\n%s", p.View())
	}
}

// rotation is a request for the approval of a rotation, which some have signed.
func rotation(note string, signed ...string) engine.Request {
	r := engine.Request{Purpose: quorum.Approve, Need: 2, Rule: "quorum for the plan: 2 of 3",
		Digest: strings.Repeat("ab", 32), Note: note}
	for _, name := range []string{"alice", "bob", "carol"} {
		s := engine.Signer{Name: name, Key: "key", Words: []string{"2"}, Asked: true, Counts: true}
		for _, n := range signed {
			s.Signed = s.Signed || n == name
		}
		r.Signers = append(r.Signers, s)
	}
	return r
}

var bags = engine.Question{Field: engine.Field{Name: "bags", Question: "Bags?"}, Value: "none"}

// TestEarlyKeys: what was typed before a page came is no answer to it. Each key has the
// page wait again, and ctrl+c works all the time.
func TestEarlyKeys(t *testing.T) {
	p := newPage(t)
	answers := p.asked(bags)
	p.shows("Bags?", false)
	first := p.gate.n
	p.press("2468", "enter")
	p.Update(rested(first))
	p.shows("Bags?", false)
	p.shows("New page: it ignores keys", true)
	p.press("ctrl+c")
	p.shows("Stop here?", true)
	p.press("n")
	p.stillOpen()
	p.rest()
	p.shows("Bags?", true)
	p.shows("> none", true)
	p.press("enter")
	came(p, answers, "none", nil)

	// After a refusal it is the same page, and what was typed stands in its field.
	q := bags
	q.Value, q.Refused = "gone", errors.New("bags: say more")
	answers = p.asked(q)
	p.shows("refused: say more", true)
	p.press("backspace", "enter")
	came(p, answers, "gon", nil)

	// Another question of the same form is another page.
	answers = p.asked(bags)
	p.press("enter")
	p.stillOpen()
	p.rest()
	p.press("enter")
	came(p, answers, "none", nil)
}

// TestEarlyKeysOfAStep: a page without a question drops early keys as well: each of them
// could throttle the re-wrap.
func TestEarlyKeysOfAStep(t *testing.T) {
	p := newPage(t)
	p.room.Show(engine.View{Step: "re-wrap", Attended: "alice, bob", Progress: &rewrap.Progress{}})
	p.mailed()
	p.press("p", "2")
	p.shows("p pause", false)
	p.rest()
	p.shows("p pause", true)
	if paused, _, _ := p.control.Now(); paused {
		t.Error("an early key has paused the re-wrap")
	}
}

// TestEarlyKeysOfAPIN: the terminal is lent only when the keyboard rests: a word that comes
// late would be an attempt at the PIN.
func TestEarlyKeysOfAPIN(t *testing.T) {
	p := newPage(t)
	p.terminal = new(term.Terminal)
	lent := asking(p, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, p.room.Lend(ctx, func(*term.Terminal) error { return nil })
	})
	early := p.gate.n
	p.press("2", "enter")
	if _, cmd := p.Update(rested(early)); cmd != nil {
		t.Error("the terminal is lent while somebody types")
	}
	if _, cmd := p.Update(rested(p.gate.n)); cmd == nil {
		t.Error("the terminal is not lent")
	}
	p.dismiss()
	came(p, lent, struct{}{}, context.Canceled)
}

// TestTypedOverProposal: typing replaces what is proposed, so that a PIN is never the end
// of an answer; any other key edits it.
func TestTypedOverProposal(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"246810", "enter"}, "246810"},
		{[]string{"backspace", "s", "enter"}, "nons"},
	} {
		p := newPage(t)
		answers := p.asked(bags)
		p.rest()
		p.press(c.keys...)
		came(p, answers, c.want, nil)
	}
}

// TestApprovalEnds: enough have signed, and the page stays until somebody presses Enter.
// The word of a third person is hers, and no answer to what comes next.
func TestApprovalEnds(t *testing.T) {
	p := newPage(t)
	words := p.consents(rotation(""))
	p.rest()
	p.shows("Signed 0, needed 2 (quorum for the plan: 2 of 3). 2 more must sign.", true)
	p.press("2", "enter")
	came(p, words, engine.Consent{Signer: "alice", Word: "2"}, nil)

	words = p.consents(rotation("", "alice")) // the next person types on
	p.press("3", "enter")
	came(p, words, engine.Consent{Signer: "bob", Word: "3"}, nil)
	words = p.consents(rotation("not the word", "alice"))
	p.shows("refused: not the word", true)
	p.press("2")
	p.shows("refused:", false)
	p.press("enter")
	came(p, words, engine.Consent{Signer: "bob", Word: "2"}, nil)

	words = p.consents(rotation("", "alice", "bob"))
	p.shows("Signed 2, needed 2. Press Enter to continue, or sign as well.", true)
	p.press("2", "enter")
	came(p, words, engine.Consent{Signer: "carol", Word: "2"}, nil)
	words = p.consents(rotation("", "alice", "bob", "carol"))
	p.shows("Signed 3, needed 2. Press Enter to continue.", true)
	p.press("2", "enter")
	came(p, words, engine.Consent{}, engine.ErrEnough)
}

// TestLaterAsks: ctrl+n ends the run only when somebody means it.
func TestLaterAsks(t *testing.T) {
	p := newPage(t)
	p.room.Show(engine.View{Step: "approve", Command: "kekceremony rotate --to-version 2"})
	p.mailed()
	words := p.consents(rotation("", "alice"))
	p.rest()
	p.shows("^n end, sign later", true)
	p.press("ctrl+n")
	for _, says := range []string{"End this run, and sign later?", "1 of the 2 signatures needed are kept",
		"  kekceremony rotate --to-version 2", "Press y to end this run, any other key to stay."} {
		p.shows(says, true)
	}
	p.press("n")
	p.shows("End this run", false)
	p.stillOpen()
	p.press("ctrl+n", "y")
	came(p, words, engine.Consent{}, engine.ErrLater)

	words = p.consents(rotation("", "alice", "bob")) // Enter does it
	p.press("ctrl+n", "enter")
	came(p, words, engine.Consent{}, engine.ErrEnough)
}

// TestRefusalGoes: a refusal is not in sight any more once it is not about what is asked now.
func TestRefusalGoes(t *testing.T) {
	p := newPage(t)
	p.room.Remarks(func(engine.Remark) error { return nil })
	words := p.consents(rotation("not the word; alice types: 2"))
	p.rest()
	p.shows("refused: not the word", true)
	p.press("tab") // another person is asked
	p.shows("refused", false)
	p.press("2", "enter")
	came(p, words, engine.Consent{Signer: "bob", Word: "2"}, nil)

	words = p.consents(rotation("bob said that the digest does not match", "bob"))
	p.shows("refused: bob said", true)
	p.press("ctrl+y")
	p.rest()
	p.press("y", "y", "y", "enter")
	p.rest()
	p.shows("refused", false)
	p.press("2", "enter")
	came(p, words, engine.Consent{Signer: "alice", Word: "2"}, nil)

	f := engine.Failure{Err: errors.New("other module"), Deviation: &engine.DeviationError{},
		Refused: errors.New("it may be a PIN")}
	chosen := asking(p, func(ctx context.Context) (engine.Choice, error) { return p.room.Choose(ctx, f) })
	p.shows("refused: it may be a PIN", true)
	p.press("esc")
	p.shows("refused:", false)
	p.press("r")
	came(p, chosen, engine.Choice{Retry: true}, nil)
}

// TestGiveUpAsks: at a step that failed, s ends the run only when somebody means it.
func TestGiveUpAsks(t *testing.T) {
	p := newPage(t)
	p.room.Show(engine.View{Step: "probe", Command: "kekceremony rotate --to-version 2"})
	p.mailed()
	f := engine.Failure{Err: errors.New("other module"), Deviation: &engine.DeviationError{}}
	chosen := asking(p, func(ctx context.Context) (engine.Choice, error) { return p.room.Choose(ctx, f) })
	p.rest()
	for _, stay := range []string{"s", "n", "r", "?", "enter"} {
		p.press("s")
		p.shows("Stop here?  y stop   any other key: stay", true)
		p.press(stay)
		p.shows("Stop here?", false)
		p.shows("Decide together", true)
		p.stillOpen()
	}
	p.press("d", "say so", "esc") // of a reason, s is a letter
	p.stillOpen()
	p.press("s", "y")
	came(p, chosen, engine.Choice{}, nil)
}

// TestOfflineTakenBack: who chose to sign offline may sign here after all.
func TestOfflineTakenBack(t *testing.T) {
	p := newPage(t)
	words := p.consents(rotation(""))
	p.rest()
	p.press("ctrl+e")
	came(p, words, engine.Consent{Signer: "alice", Offline: true}, nil)
	r := rotation("")
	r.Signers[0].Offline = "ssh-keygen -Y sign"
	words = p.consents(r)
	p.shows("bob: type 2, the version, to sign", true)
	p.press("tab", "tab")
	p.shows("alice: type 2, the version, to sign here after all", true)
	p.press("2", "enter")
	came(p, words, engine.Consent{Signer: "alice", Word: "2"}, nil)

	for i := range r.Signers {
		r.Signers[i].Offline = "ssh-keygen -Y sign"
	}
	words = p.consents(r)
	p.press("tab")
	p.shows("bob: type 2, the version, to sign here after all", true)
	p.press("2", "enter")
	came(p, words, engine.Consent{Signer: "bob", Word: "2"}, nil)
}

// TestNothingBefore: at the first question of a ceremony esc says that nothing comes before it, and the
// question stays as it was: typing still replaces what is proposed.
func TestNothingBefore(t *testing.T) {
	p := newPage(t)
	q := bags
	q.First = true
	answers := p.asked(q)
	p.rest()
	p.shows("esc", false)
	p.press("esc")
	p.stillOpen()
	p.shows("There is no question before this one. Enter answers it, ctrl+c stops.", true)
	p.shows("> none", true)
	p.press("4")
	p.shows("There is no question before", false)
	p.press("711", "enter")
	came(p, answers, "4711", nil)
}

// TestBackKeepsWords: esc goes back with what was typed, and a refusal is of the past once
// somebody types on.
func TestBackKeepsWords(t *testing.T) {
	p := newPage(t)
	answers := p.asked(bags)
	p.rest()
	p.press("4711, bob", "esc")
	came(p, answers, "4711, bob", engine.ErrBack)

	q := bags
	q.Value, q.Refused = "gone", errors.New("bags: say more")
	answers = p.asked(q)
	p.shows(" refused: say more", true)
	p.press("x")
	p.shows(" refused: say more", false)
	p.shows(" before: say more", true)
	p.press("enter")
	came(p, answers, "gonex", nil)
}
