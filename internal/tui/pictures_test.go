package tui

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/replay"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/tui/room"
)

// pictures are what the README and docs show, by name, each made from a rotation that
// testdata/rehearsal holds.
var pictures = []struct {
	name, alt string
	pages     func(replay.Page) bool
	last      bool // only the last of them: a still
}{
	{"attend", "The page on which operators attend: each compares a fingerprint with paper, and types a name to sign",
		func(p replay.Page) bool { return p.View.Step == "attend" && p.Sign != nil && p.Sign.Have() == 1 }, true},
	{"probe", "The page of the capability probe: the tests of the token and their results",
		func(p replay.Page) bool { return p.View.Step == "probe" && p.View.Details == nil }, true},
	{"approve", "The page on which operators approve the plan: its changes, how each is undone, the digest " +
		"of the plan, and who has signed",
		func(p replay.Page) bool { return p.View.Step == "approve" && p.Sign != nil && p.Sign.Have() == 1 }, true},
	{"end", "The last page: what was done, the final digest to write down, and how to check it with stock tools",
		func(p replay.Page) bool { return p.View.Ending != nil }, true},
	{"rehearsal", "A rehearsal of a rotation in the wizard, as a replay of its transcript: attendance, probe, a new " +
		"key, the approved plan, the switch of the writers, the re-wrap, and the signed end", shown, false},
}

// shown are the pages that the moving picture has.
func shown(p replay.Page) bool {
	switch v := p.View; v.Step {
	case "attend", "approve-key", "approve", "finals":
		return p.Sign != nil && (p.Sign.Have() == 0 || p.Sign.Have() == 2)
	case "probe":
		return len(v.Probe)%3 == 0 && v.Details == nil
	case "generate", "switch", "fleet":
		return len(v.Details) > 0
	case "re-wrap":
		return true
	}
	return p.View.Ending != nil
}

// TestPictures compares the pictures of docs with what the wizard shows today; make pictures
// draws them again.
func TestPictures(t *testing.T) {
	r, err := transcript.Verify("testdata/rehearsal")
	if err != nil {
		t.Fatal(err)
	}
	held, _ := steps.Named(transcript.KindRotate)
	all := replay.Pages(r, held)
	before := lipgloss.ColorProfile()
	lipgloss.SetColorProfile(termenv.ANSI)
	defer lipgloss.SetColorProfile(before)
	for _, pic := range pictures {
		var frames []string
		for _, p := range all {
			if pic.pages(p) {
				frames = append(frames, frame(p))
			}
		}
		frames = slices.Compact(frames)
		if pic.last && len(frames) > 0 {
			frames = frames[len(frames)-1:]
		}
		if len(frames) == 0 {
			t.Fatalf("%s: no page", pic.name)
		}
		path := filepath.Join("../../docs/pictures", pic.name+".svg")
		now := svg(pic.alt, frames)
		if *update {
			if err := os.WriteFile(path, now, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if was, err := os.ReadFile(path); err != nil || !bytes.Equal(was, now) {
			t.Errorf("%s is not what the wizard shows; make pictures draws it again (%v)", path, err)
		}
		if most := 112 << 10; len(now) > most {
			t.Errorf("%s has %d bytes, more than %d", path, len(now), most)
		}
	}
}

// frame is a page as it stands on a terminal of 80 columns.
func frame(p replay.Page) string {
	m := &model{room: room.New(), control: rewrap.NewControl(0), height: 24, width: 80,
		glyphs: unicodeGlyphs}
	m.now = func() time.Time { return sceneTime }
	p.View.Started = sceneTime.Add(-p.Since)
	news := room.Mail{Views: []engine.View{p.View}}
	switch {
	case p.Ask != nil:
		news.Ask = room.Form{Q: *p.Ask}
	case p.Sign != nil:
		news.Ask = room.Consent{Q: *p.Sign}
	case p.Failed != nil:
		news.Ask = room.Choose{Q: *p.Failed}
	case p.View.Ending == nil:
		news.Ask = room.Turn{}
	}
	m.take(news)
	m.Update(rested(m.gate.n))
	return m.View()
}

// TestReplayTakesNoWord: whatever is typed at a replay, no question is answered by it.
func TestReplayTakesNoWord(t *testing.T) {
	p := newPage(t)
	p.room.Show(engine.View{Step: "approve", Replay: true})
	p.mailed()
	words := p.consents(rotation(""))
	p.rest()
	p.shows("REPLAY", true)
	p.press("2", "ctrl+e", "ctrl+n", "y", "tab")
	p.stillOpen()
	p.shows("> 2", false)
	p.press("enter")
	came(p, words, engine.Consent{}, errTurned)

	answers := p.asked(bags)
	p.rest()
	p.press("x")
	p.shows("> none", true)
	p.press("enter")
	came(p, answers, "", errTurned)

	turned := asking(p, func(ctx context.Context) (struct{}, error) { return struct{}{}, p.room.Turn(ctx) })
	p.rest()
	p.press("p")
	p.stillOpen()
	p.press(" ")
	came(p, turned, struct{}{}, errTurned)
}
