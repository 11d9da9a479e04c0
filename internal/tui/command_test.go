package tui

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// TestOneLetter: a command has one letter, with ctrl and alone, on every page; none that a console or a
// shell owns with ctrl, and none that is another key of the keyboard.
func TestOneLetter(t *testing.T) {
	does := map[string]string{}
	for _, c := range []command{reportCommand, stepsCommand, roomCommand, logCommand, helpCommand, aloudCommand,
		offlineCommand, laterCommand, earlierCommand, planCommand} {
		if before, twice := does[c.letter]; twice || strings.Contains("squwdchijmvz", c.letter) {
			t.Errorf("%s: %s; before %s", c.letter, c.does, before)
		}
		does[c.letter] = c.does
	}
	for name, file := range pageFiles(t) {
		s := sceneIn(t, file)
		if s.Lend != nil && s.Early == nil {
			continue
		}
		p := s.opens(t, unicodeGlyphs, 80, 24)
		for _, k := range append(p.own(), p.always()...) {
			letter, ctrl := strings.CutPrefix(k.name, "ctrl+")
			if ctrl && k != stopKey && does[letter] != k.does {
				t.Errorf("%s: %s is %q, and on other pages %q", name, k.name, k.does, does[letter])
			}
			for other, what := range does {
				if what == k.does && letter != other {
					t.Errorf("%s: %q is at %s, and on other pages at %s", name, k.does, k.name, other)
				}
			}
		}
	}
}

// TestOwnKeyFirst: a page's own key comes before a command with this letter, which ctrl still reaches.
func TestOwnKeyFirst(t *testing.T) {
	p := newPage(t)
	chosen := asking(p, func(ctx context.Context) (engine.Choice, error) {
		return p.room.Choose(ctx, engine.Failure{Err: errors.New("other module")})
	})
	p.rest()
	p.press("ctrl+r")
	p.shows("The room", true)
	p.press("esc")
	p.rest()
	p.press("r")
	came(p, chosen, engine.Choice{Retry: true}, nil)

	p.room.Show(engine.View{Step: "switch"})
	p.mailed()
	p.rest()
	p.press("r")
	p.shows("The room", true)
}

// TestSteeringCovered: help over the question who throttles a re-wrap has its own keys, and the question stays; what
// is no digit of a rate is refused.
func TestSteeringCovered(t *testing.T) {
	p := newPage(t)
	p.room.Show(engine.View{Step: "re-wrap", Attended: "alice, bob", Progress: &engine.Progress{}})
	p.mailed()
	p.rest()
	p.press("r", "2", "x")
	p.shows("refused: digits only, at most 6: 2_", true)
	p.press("ctrl+g")
	p.shows("esc close", true)
	p.shows("digits only", false)
	p.press("esc")
	p.rest()
	p.press("5")
	p.shows("envelopes per second, 0 for no limit: 25_", true)
}
