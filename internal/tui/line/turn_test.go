package line

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/tui/room"
)

// TestReplayTakesNoWord: whatever is typed at a replay, no question is answered by it.
func TestReplayTakesNoWord(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	r.Show(engine.View{Kind: "rotate", From: 1, To: 2, Step: "approve", N: 2, Of: 3, Replay: true})
	c.until("== kekceremony rotate 1 -> 2, REPLAY, step 2 of 3")
	q := bags
	q.Value = "none"
	answers := asks(c, func(ctx context.Context) (string, error) { return r.Ask(ctx, q) })
	c.until("  Answered: none\nEnter turns the page.\n")
	c.types("another")
	c.until("This is a replay: nothing is answered or signed.")
	c.types("")
	came(c, answers, "", context.Canceled)

	const fingerprint = "SHA256:zSYDrDMMMfjCCvi/cLZ+B8UuS4hFIR4Mz6VlfSSInuw"
	words := asks(c, func(ctx context.Context) (engine.Consent, error) {
		return r.Consent(ctx, engine.Request{Purpose: quorum.Approve, Need: 1, Rule: "quorum: 1 of 1",
			Signers: []engine.Signer{{Name: "alice", Fingerprint: fingerprint, Key: "key", Words: []string{"2"},
				Asked: true, Counts: true}}})
	})
	c.until("alice    " + fingerprint + "\n") // all of it: a line has room
	c.until("1 more must sign.")
	c.types("2")
	c.until("This is a replay: nothing is answered or signed. Enter turns the page.")
	c.types("stop")
	c.until("Stop the replay here?\nyes or no:")
	c.types("no", "")
	came(c, words, engine.Consent{}, context.Canceled)
	asks(c, func(ctx context.Context) (string, error) { return r.Ask(ctx, q) })
	c.until(sign)
	c.key("\x04")
	c.until("End of input: the replay ends here.")
}

// TestASCII: where people say that a terminal shows ASCII alone, nothing else is written.
func TestASCII(t *testing.T) {
	var b strings.Builder
	p := printer{out: &b, width: maxWidth, ascii: true}
	p.say("Tresorraum 3, Zürich", "東京")
	if got := b.String(); got != "Tresorraum 3, Z?rich\n????\n" {
		t.Errorf("%q", got)
	}
}

// TestHints: each hint of a step that failed has a line of its own.
func TestHints(t *testing.T) {
	t.Parallel()
	c := &choice{q: room.Choose{Q: engine.Failure{Err: errors.New("one; two"), Hint: "do one\ndo two"}}}
	page := c.page()
	for _, want := range []string{"Refused: one; two", "Hint: do one", "Hint: do two"} {
		if !slices.Contains(page, want) {
			t.Errorf("no line %q in %q", want, page)
		}
	}
}
