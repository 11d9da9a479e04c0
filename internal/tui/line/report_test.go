package line

import (
	"context"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/rewrap"
)

// TestReportWords: the words of every page are no part of a report; back goes to the previous part, and a
// report that is dropped is said, and kept for the next one.
func TestReportWords(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	var got []engine.Report
	r.Remarks(func(said engine.Remark) error { got = append(got, said.(engine.Report)); return nil })
	answers := asks(c, func(ctx context.Context) (string, error) { return r.Ask(ctx, bags) })
	c.types("deviation", "help")
	c.until("  back       go to the previous part; at the first part, report nothing\n")
	c.until("  who        say who is here")
	c.until("Part 1 of 4, expected: What did you expect? (back: report nothing)\n")
	c.types("who")
	c.until("Nobody has attended yet.\nPart 1 of 4")
	c.types("steps", "log", "deviation", "three bags", "two bags")
	c.until("Part 3 of 4, decided: What was decided? (back: the previous part)\n")
	c.types("abort")
	c.until("Stop here?")
	c.types("no")
	c.until("Not stopped.\nPart 3 of 4")
	c.types("back")
	c.until("Part 2 of 4, seen: What did you see? (back: the previous part)\n  Enter alone answers: two bags\n")
	c.types("back", "", "one bag", "drop")
	c.until("No deviation was recorded.\nBags?")
	if len(got) != 0 {
		t.Fatalf("recorded %+v", got)
	}
	c.types("deviation", "again")
	c.until("Bags?")
	c.until("Enter alone answers: three bags\n")
	c.types("", "", "=stop", "alice")
	c.until("The deviation is recorded.")
	want := engine.Report{Expected: "three bags", Seen: "one bag", Decided: "stop", By: "alice"}
	if len(got) != 1 || got[0] != want {
		t.Errorf("recorded %+v", got)
	}
	c.types("deviation")
	c.until("Part 1 of 4, expected: What did you expect? (back: report nothing)\n" + sign)
	c.key("back\n")
	c.until("No deviation was recorded.")
	c.types("")
	came(c, answers, "none", nil)
}

// TestReportUnfinished: who stops in the middle of a report reads that nothing of it was recorded.
func TestReportUnfinished(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	answers := asks(c, func(ctx context.Context) (string, error) { return r.Ask(ctx, bags) })
	c.types("deviation", "three bags", "stop", "yes")
	came(c, answers, "", context.Canceled)
	c.until("The report of a deviation was not finished: nothing of it was recorded.")
}

// TestReportMeanwhile: a re-wrap is throttled by who is in the middle of a report, and no word of it is a part.
func TestReportMeanwhile(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	r.Show(engine.View{Step: "re-wrap", N: 1, Of: 2, Attended: "alice, bob",
		Progress: &engine.Progress{Total: 1000, Left: 900, State: rewrap.Running, Rate: 44766}})
	c.until("running: 100 of 1,000 done, 900 left, 44,766/s")
	c.key("deviation\n")
	c.types("pause")
	c.until("pause: who asks? Type the name: alice, bob.")
	c.types("help")
	c.until("pause: who asks?")
	c.types("alice")
	c.until("pause, asked by alice\nPart 1 of 4")
	if got := c.control.Changes(); len(got) != 1 || got[0].By != "alice" || got[0].Action != engine.Pause {
		t.Errorf("changes %v", got)
	}
	c.types("rate of 100")
	c.until("Part 2 of 4")
	c.types("slower")
	c.until("slower: who asks?")
	r.Show(engine.View{Step: "census", N: 2, Of: 2})
	c.until("slower: not done: there is no re-wrap to throttle now")
}

// TestReasonWords: the words of every page are no reason to continue with a deviation.
func TestReasonWords(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	f := engine.Failure{Err: context.Canceled, Deviation: &engine.DeviationError{}}
	chosen := asks(c, func(ctx context.Context) (engine.Choice, error) { return r.Choose(ctx, f) })
	c.types("3", "help")
	c.until("  back       do not continue with a deviation")
	c.until("Why do you continue? (back: not)")
	c.types("=stop")
	came(c, chosen, engine.Choice{Decided: "stop"}, nil)
}

// TestCompareWords: the words of every page are known while a digest is compared, and compare is offered where
// there is a digest.
func TestCompareWords(t *testing.T) {
	c := newConsole(t)
	r := <-c.rooms
	words := asks(c, func(ctx context.Context) (engine.Consent, error) { return r.Consent(ctx, rotation("")) })
	c.types("help")
	c.until("  compare    read the digest aloud")
	c.types("compare", "help")
	c.until("  skip       ask the next person")
	c.until("alice: does all of it match?")
	c.types("steps", "back", "2")
	came(c, words, engine.Consent{Signer: "alice", Word: "2"}, nil)

	none := rotation("")
	none.Purpose, none.Digest = engine.Attend, ""
	words = asks(c, func(ctx context.Context) (engine.Consent, error) { return r.Consent(ctx, none) })
	c.types("help")
	at := c.seen
	c.until("The end of input stops.")
	if strings.Contains(c.said[at:], "compare") {
		t.Errorf("compare is offered:\n%s", c.said[at:])
	}
	c.types("compare")
	c.until("There is nothing to compare on this page.")
	c.types("2")
	came(c, words, engine.Consent{Signer: "alice", Word: "2"}, nil)
}
