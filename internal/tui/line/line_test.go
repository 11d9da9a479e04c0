package line

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/term"
)

// TestWords: each word says something or does something, and answers nothing.
func TestWords(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	r.Show(engine.View{Kind: "rotate", From: 1, To: 2, Step: "place", Title: "Place and people", Why: "Record it.", N: 2,
		Of: 3, Started: time.Now().Add(-61 * time.Second),
		Steps: []engine.Stage{{Title: "Roster", At: "14:05:01 UTC", Minutes: 1},
			{Title: "Place and people", Minutes: 5}, {Title: "Sign the end", Minutes: 10},
			{Title: "Generate", At: "14:01:00 UTC", Earlier: true, Minutes: 2}},
		Quorum: "2 of 3", Attended: "alice, bob", Log: []string{"14:00:00 opened"}})
	answers := asks(c, func(ctx context.Context) (string, error) { return r.Ask(ctx, bags) })
	c.until("== kekceremony rotate 1 -> 2, step 2 of 3: Place and people ==\nRecord it.\n")
	c.until("Question 1: Bags?\n  Form: numbers, name\n  Enter alone answers: none\n")
	c.types("help")
	c.until("back       go to the question before")
	c.until("stop       stop here")
	c.types("who")
	c.until("In the room: alice, bob   quorum 2 of 3")
	c.types("steps")
	c.until("   1 done     14:05   Roster\n   2 now      5 min   Place and people\n" +
		"   3 to come  10 min  Sign the end\n   4 done     14:01   Generate\nThis run has taken 01:0")
	c.until(" of about 18 min. Times are UTC.\n")
	c.types("log")
	c.until("14:00:00 opened")
	c.types("deviation")
	c.until("Part 1 of 4, expected: What did you expect?")
	c.types("back")
	c.until("No deviation was recorded.")
	c.types("AGAIN")
	c.until("Record it.")
	c.types("=back")
	came(c, answers, "back", nil)

	answers = asks(c, func(ctx context.Context) (string, error) { return r.Ask(ctx, bags) })
	c.types("back")
	came(c, answers, "", engine.ErrBack)

	first := bags
	first.First = true
	answers = asks(c, func(ctx context.Context) (string, error) { return r.Ask(ctx, first) })
	c.types("back")
	c.until("There is no question before this one. Answer it, or type stop.\nBags?\n")
	c.types("")
	came(c, answers, "none", nil)

	q := bags
	q.Value, q.Refused = "gone\x1b[2J", errors.New("bags: say more")
	answers = asks(c, func(ctx context.Context) (string, error) { return r.Ask(ctx, q) })
	c.until("Refused: say more\nBags?\n  Enter alone answers: gone")
	c.types("more than that")
	came(c, answers, "more than that", nil)
	c.key("alice\n")
	c.until("Nothing is asked now; this was ignored.")
}

// TestDeviation: a deviation is recorded while a question is open, which then is asked again; what may
// be a PIN is none of its parts.
func TestDeviation(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	var got engine.Report
	refuses := error(engine.ErrLate)
	r.Remarks(func(said engine.Remark) error { got = said.(engine.Report); return refuses })
	answers := asks(c, func(ctx context.Context) (string, error) { return r.Ask(ctx, bags) })
	report := func() { c.types("deviation", "three came", "246810", "two came", "went on", "alice and bob") }
	report()
	c.until("Refused: " + engine.ErrLate.Error())
	refuses = nil
	report()
	c.until("The deviation is recorded.\nBags?")
	if strings.Contains(fmt.Sprint(got), "246810") || got.Seen != "two came" || got.By != "alice and bob" {
		t.Errorf("recorded %+v", got)
	}
	c.types("")
	came(c, answers, "none", nil)
}

// TestCompare: people say whether a digest that was read aloud matches, before anybody signs it.
func TestCompare(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	var said []engine.Comparison
	r.Remarks(func(d engine.Remark) error { said = append(said, d.(engine.Comparison)); return nil })
	words := asks(c, func(ctx context.Context) (engine.Consent, error) { return r.Consent(ctx, rotation("")) })
	c.types("compare")
	c.until("   8  abab abab   rhythm Pegasus rhythm Pegasus\nalice: does all of it match?")
	c.types("yes", "no", "2", "skip")
	c.until("bob: it does not match. Nobody signs it here")
	c.until("alice: type 2, the version, to sign")
	c.types("2")
	came(c, words, engine.Consent{Signer: "alice", Word: "2"}, nil)
	digest := strings.Repeat("ab", 32)
	want := []engine.Comparison{{Digest: digest, By: "alice", Matches: true}, {Digest: digest, By: "bob"}}
	if !slices.Equal(said, want) {
		t.Errorf("said: %+v", said)
	}
}

// TestEarly: what was typed before a page came is no answer to it, nor is its end.
func TestEarly(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	c.until("Line mode.")
	c.key("24")
	answers := asks(c, func(ctx context.Context) (string, error) { return r.Ask(ctx, bags) })
	c.until("Enter alone answers")
	c.key("68\n")
	c.types("12, bob")
	came(c, answers, "12, bob", nil)
}

// TestEndOfInput: the end of input stops, and answers nothing.
func TestEndOfInput(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	answers := asks(c, func(ctx context.Context) (string, error) { return r.Ask(ctx, bags) })
	c.until(sign)
	c.key("no\x04\x04")
	came(c, answers, "", context.Canceled)
	if why := context.Cause(c.ctx); !errors.Is(why, errEnd) {
		t.Errorf("it ended with %v", why)
	}
	c.until("End of input. Nothing was answered")
}

// TestTypedAhead: a yes that was typed before its question answers nothing.
func TestTypedAhead(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	answers := asks(c, func(ctx context.Context) (string, error) { return r.Ask(ctx, bags) })
	c.until(sign)
	c.key("stop\ny\n")
	c.until("yes or no:\n" + sign)
	c.key("n\n")
	c.until("Not stopped.")
	c.types("12")
	if a := <-answers; a.err != nil {
		t.Error(a.err)
	}
}

// TestStop: every way to stop asks first, and ctrl+c is no signal.
func TestStop(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	answers := asks(c, func(ctx context.Context) (string, error) { return r.Ask(ctx, bags) })
	for _, keys := range []string{"stop\n", "abort\n", "quit\n", "no\x03"} {
		c.until(sign)
		c.key(keys)
		c.until("Stop here?")
		c.types("help")
		c.until("yes or no:\n" + sign)
		c.key("n\n")
		c.until("Not stopped.")
	}
	c.types("stop", "yes")
	came(c, answers, "", context.Canceled)
	if why := context.Cause(c.ctx); !errors.Is(why, errStopped) {
		t.Errorf("it ended with %v", why)
	}
	c.until("Stopping: finishing the work in progress.")
}

// TestSigning: Enter alone signs nothing, a word is one person's, and later asks first.
func TestSigning(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	consents := func(q engine.Request) chan given[engine.Consent] {
		return asks(c, func(ctx context.Context) (engine.Consent, error) { return r.Consent(ctx, q) })
	}
	words := consents(rotation(""))
	c.until("Plan digest:\n  abab abab")
	c.until("2 more must sign.\nalice: type 2, the version, to sign\n")
	c.types("")
	c.until("Refused: Enter alone does not sign")
	c.types("2")
	came(c, words, engine.Consent{Signer: "alice", Word: "2"}, nil)

	words = consents(rotation("", "alice"))
	c.until("[signed] alice")
	c.types("next")
	c.until("carol: type 2, the version, to sign")
	c.types("next", "later")
	c.until("End this run, and sign later?")
	c.types("no", "3")
	came(c, words, engine.Consent{Signer: "bob", Word: "3"}, nil)
	words = consents(rotation("not the word", "alice"))
	c.until("Refused: not the word")
	c.types("offline")
	came(c, words, engine.Consent{Signer: "bob", Offline: true}, nil)
	words = consents(rotation("", "alice"))
	c.types("offline followed")
	came(c, words, engine.Consent{Signer: "bob", Word: "followed", Offline: true}, nil)
	words = consents(rotation("", "alice"))
	c.types("plan")
	c.until("No plan is signed here.")
	c.types("2")
	came(c, words, engine.Consent{Signer: "bob", Word: "2"}, nil)
	whole := rotation("", "alice")
	whole.Text = "kekceremony plan v1\ncatalogue: a.key b.\\u{1b}key\n"
	words = consents(whole)
	c.types("plan")
	c.until("is its SHA-256.\n    kekceremony plan v1\n    catalogue: a.key b.\\u{1b}key\n")
	c.types("later", "yes")
	came(c, words, engine.Consent{}, engine.ErrLater)
	words = consents(rotation("", "alice", "bob"))
	c.until("Signed 2, needed 2. Press Enter to continue, or sign as well.")
	c.types("")
	came(c, words, engine.Consent{}, engine.ErrEnough)
}

// TestUndecided: two signed words of one person hold up the end, and the page says what people do.
func TestUndecided(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	q := rotation("", "alice", "bob")
	q.Dir, q.Undecided = "/srv/stick", []engine.Undecided{{Name: "carol", Words: []string{"followed", "disagree"},
		Files: []string{"final.carol.followed.txt", "final.carol.disagree.txt"}}}
	words := asks(c, func(ctx context.Context) (engine.Consent, error) { return r.Consent(ctx, q) })
	c.until("  /srv/stick\n  followed holds: rm final.carol.disagree.txt.sig\n")
	c.until("Signed 2, needed 2. carol must decide first: see above.\n")
	c.types("")
	c.until("Refused: Enter alone does not sign")
	c.types("later")
	c.until("A word of carol's cannot be added\nlater.")
	c.until("End the ceremony without a word of carol's?")
	c.types("yes")
	came(c, words, engine.Consent{}, engine.ErrLater)
}

// TestChoice: a step that failed is tried again, given up, or continued for a reason.
func TestChoice(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	f := engine.Failure{Err: errors.New("other module"), Deviation: &engine.DeviationError{}}
	choose := func() chan given[engine.Choice] {
		return asks(c, func(ctx context.Context) (engine.Choice, error) { return r.Choose(ctx, f) })
	}
	chosen := choose()
	c.until("Refused: other module")
	c.types("d", "again")
	came(c, chosen, engine.Choice{Retry: true}, nil)
	chosen = choose()
	c.types("3", "back", "deviation", "", "the vendor's update, ticket 7")
	came(c, chosen, engine.Choice{Decided: "the vendor's update, ticket 7"}, nil)
	chosen = choose()
	c.types("2", "no")
	c.until("Not stopped.")
	c.types("stop")
	c.until("Stop here?")
	c.types("help")
	c.until("yes or no:\n")
	c.types("", "2", "yes")
	came(c, chosen, engine.Choice{}, nil)
}

// TestProgress: a line when the state changes, none for every number, and throttling has a
// name to it.
func TestProgress(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	view := func(left int, state string) {
		r.Show(engine.View{Step: "re-wrap", N: 1, Of: 2, Attended: "alice, bob",
			Progress: &engine.Progress{Total: 1000, Left: left, State: state, Rate: 10}})
	}
	view(1000, rewrap.Running)
	c.until("running: 0 of 1,000 done, 1,000 left, 10/s")
	view(900, rewrap.Running)
	c.key("rate 250\n")
	c.until("who asks? Type the name: alice, bob")
	c.types("mallory")
	c.until("not done")
	c.key("pause\n")
	c.until("who asks?")
	c.types("Bob")
	c.until("pause, asked by bob")
	if got := c.control.Changes(); len(got) != 1 || got[0].By != "bob" || got[0].Action != engine.Pause {
		t.Errorf("changes %v", got)
	}
	view(800, rewrap.Paused)
	c.until("paused: 200 of 1,000 done")
	view(0, rewrap.Paused)
	r.Show(engine.View{Step: "census", N: 2, Of: 2})
	c.until("paused: 1,000 of 1,000 done, 0 left")
	if strings.Contains(c.said, "100 of 1,000") {
		t.Errorf("every number is said:\n%s", c.said)
	}
}

// TestLend: a word that comes late is no attempt at a PIN, which is read as everywhere, and asked for again after
// an empty line.
func TestLend(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	c.until("Line mode.")
	c.key("2\n")
	pin := asks(c, func(ctx context.Context) (string, error) {
		read := ""
		err := r.Lend(ctx, func(t *term.Terminal) error {
			b, err := t.ReadSecret(ctx, "\r\nPIN: ")
			if err == nil {
				read = string(b.Bytes())
				b.Wipe()
			}
			return err
		})
		return read, err
	})
	c.until("PIN: ")
	c.key("\n")
	c.until("Nothing was typed.")
	c.key("4711\n")
	came(c, pin, "4711", nil)
	if strings.Contains(c.said, "4711") {
		t.Errorf("the PIN was echoed:\n%s", c.said)
	}
	answers := asks(c, func(ctx context.Context) (string, error) { return r.Ask(ctx, bags) })
	c.types("")
	came(c, answers, "none", nil)
}
