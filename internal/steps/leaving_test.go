package steps_test

import (
	"context"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// reporter is a room in which somebody reports a deviation while a question is open.
type reporter struct {
	*engine.Unattended
	at       string // the question; empty: nobody reports
	take     func(engine.Remark) error
	proposed string // for the last chance to report
	page     engine.View
	t        *testing.T
}

func (r *reporter) Remarks(take func(engine.Remark) error) { r.take = take }
func (r *reporter) Show(v engine.View)                     { r.page = v }

func (r *reporter) Ask(ctx context.Context, q engine.Question) (string, error) {
	if q.Field.Name == r.at {
		if err := r.take(engine.ReportOf([4]string{"two bags", "three bags", "went on", "alice"})); err != nil {
			r.t.Error(err)
		}
	}
	if q.Field.Name == transcript.FactDiffered {
		r.proposed = q.Value
		told := false
		for _, d := range r.page.Details {
			told = told || d.Name == "deviation 1" && strings.Contains(d.Value, "seen three bags")
		}
		if told != (r.at != "") {
			r.t.Errorf("is what was reported on the page? %t: %v", told, r.page.Details)
		}
	}
	return r.Unattended.Ask(ctx, q)
}

// TestLeavingAgrees: a log that has a deviation does not say that none was reported. Who answers none says that
// there are no others, whether people are asked or a file of answers has it, and nothing proposes it to them.
func TestLeavingAgrees(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at, answer, proposed, differed, others string
		recorded                               int
	}{
		"nothing reported":        {answer: "none", proposed: "none", differed: "none"},
		"before":                  {at: "place", answer: "none", others: "none beside the 1 recorded", recorded: 1},
		"while it is asked":       {"differed", "None", "none", "", "none beside the 1 recorded", 1},
		"another one in addition": {"place", "a / b / c / d", "", "a / b / c / d", "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts, err := makeParts(t)
			if err != nil {
				t.Fatal(err)
			}
			room := &reporter{Unattended: nobody(parts), at: c.at, t: t}
			room.Answers["differed"] = c.answer
			if err := install(t.Context(), site(t, parts), room); err != nil {
				t.Fatal(err)
			}
			r, err := transcript.Verify(bundles(t, parts, transcript.KindInstall)[0])
			if err != nil || len(r.Deviations) != c.recorded {
				t.Fatalf("deviations %v, %v", r.Deviations, err)
			}
			if got := [3]string{room.proposed, r.Facts["differed"], r.Facts["others"]}; got !=
				[3]string{c.proposed, c.differed, c.others} {
				t.Errorf("proposed, differed, others: %q", got)
			}
		})
	}
}
