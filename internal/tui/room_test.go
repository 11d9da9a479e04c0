package tui

import (
	"context"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/tui/room"
)

// TestTakenBack: the last signature comes from elsewhere while the page asks for
// it here. The page is gone at once, its keys throttle the re-wrap again, and
// stopping the ceremony afterwards does not block the screen.
func TestTakenBack(t *testing.T) {
	r := room.New()
	control := rewrap.NewControl(0)
	stopped := false
	m := &model{room: r, control: control, cancel: func(error) { stopped = true }, now: time.Now, width: 80, height: 24,
		glyphs: unicodeGlyphs}
	ctx, arrived := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := r.Consent(ctx, engine.Request{Need: 1, Signers: []engine.Signer{{Name: "carol", Asked: true}}})
		ended <- err
	}()
	mailed := func() { m.take(m.wait().(room.Mail)) }
	rested := func() { m.Update(rested(m.gate.n)) }
	mailed()
	if m.ask == nil {
		t.Fatal("no page asks")
	}
	rested()
	m.key(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("x")})
	old := m.ask
	arrived()
	if err := <-ended; err == nil {
		t.Fatal("consent without a word")
	}
	mailed()
	if m.ask != nil {
		t.Error("the page still asks")
	}
	r.Show(engine.View{Step: "re-wrap", Progress: &engine.Progress{}})
	mailed()
	rested()
	m.key(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("p")})
	m.view.Attended = "alice, bob"
	m.key(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("2")})
	if paused, _, _ := control.Now(); !paused {
		t.Error("p does not pause")
	}
	if got := control.Changes(); len(got) != 1 || got[0] != (rewrap.Change{Action: engine.Pause, By: "bob"}) {
		t.Errorf("changes %v", got)
	}
	for _, key := range []string{"r", "2", "5", "0"} {
		m.key(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(key)})
	}
	m.key(tea.KeyMsg{Type: tea.KeyEnter})
	m.key(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("1")})
	if got := control.Changes(); len(got) != 1 ||
		got[0] != (rewrap.Change{Action: engine.SetRate, By: "alice", Rate: 250}) {
		t.Errorf("changes %v", got)
	}
	m.key(tea.KeyMsg{Type: tea.KeyCtrlC})
	m.key(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("y")})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 3 {
			old.dismiss(context.Canceled)
		}
		m.dismiss()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("dismissing blocks")
	}
	if !stopped {
		t.Error("not stopped")
	}
}
