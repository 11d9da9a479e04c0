package transcript

import (
	"fmt"
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// Wait is how long a version that this log disabled stays so before it may be destroyed, by the plan that
// M signed. It is counted from the log's last line.
func (s State) Wait() (wait time.Duration, ok bool) {
	approval, err := s.Approval(ActDisable)
	if err != nil || s.Outcome != OutcomeDone || !s.Done(ActDisable) {
		return 0, false
	}
	return waitOf(approval.Event.Facts[FactPlan])
}

// destroysRightly demands of a ceremony that began to destroy a key that one before it disabled that very
// version, that nothing enabled it since, and that the waiting period that people signed was over. before are those
// before it, in order.
func (r Report) destroysRightly(before []Report) error {
	if !r.Begun(ActDestroy) {
		return nil
	}
	opened := r.Opened()
	if opened[FactCloses] == "yes" {
		return r.closesRightly(before)
	}
	by, err := r.disabled(before)
	if err != nil {
		return err
	}
	for _, other := range before[by.seq():] {
		if other.Done(ActEnable) && other.Opened()[FactVersion] == opened[FactVersion] {
			return broken(RuleChain, "version %s was enabled by ceremony %d, after it was disabled",
				printable.Text(opened[FactVersion]), other.seq())
		}
	}
	wait, _ := by.Wait()
	ends := by.Last().Clock().Add(wait)
	i := slices.IndexFunc(r.Events, func(e Event) bool { return e.Kind == Begun && e.Step == ActDestroy })
	if began := r.Events[i].Clock(); began.Before(ends.Truncate(time.Second)) {
		return broken(RuleChain, "the destruction began at %s, and had to wait until %s", began.Format(time.RFC3339),
			ends.Format(time.RFC3339))
	}
	return nil
}

// disabled is the ceremony by which the first line says that the version was disabled.
func (r Report) disabled(before []Report) (Report, error) {
	opened := r.Opened()
	for _, by := range before {
		if fmt.Sprintf("%d %s", by.seq(), by.FinalSum) != opened[FactDisabledBy] {
			continue
		}
		if _, ok := by.Wait(); ok && by.Opened()[FactVersion] == opened[FactVersion] {
			return by, nil
		}
	}
	return Report{}, broken(RuleChain, "no ceremony before it disabled version %s, as its first line says",
		printable.Text(opened[FactVersion]))
}

// closesRightly demands that the key was destroyed somewhere before.
func (r Report) closesRightly(before []Report) error {
	if slices.ContainsFunc(before, func(other Report) bool {
		return other.Done(ActDestroy) && other.Opened()[FactVersion] == r.Opened()[FactVersion] &&
			other.Opened()[FactDisabledBy] == r.Opened()[FactDisabledBy]
	}) {
		return nil
	}
	return broken(RuleChain, "it closes copies of version %s, and no ceremony before it destroyed the key",
		printable.Text(r.Opened()[FactVersion]))
}
