package transcript

import (
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// Approval returns the request whose plan covers an act, or a *RuleError unless M have
// signed the very plan that stands and it names the act (promise 1).
func (s State) Approval(act string) (Requested, error) {
	by, ok := s.approved[act]
	if !ok {
		return Requested{}, broken(RuleOrder, "act %s: no plan covers it: %w", printable.Text(act), quorum.ErrQuorum)
	}
	r := s.requests[by]
	if len(r.Signed) > 0 && (r.Event.Kind != Plan || !slices.Contains(r.Acts(), act)) {
		return r, broken(RuleOrder, "act %s: the plan that was signed does not name it: %w",
			printable.Text(act), quorum.ErrQuorum)
	}
	if err := s.Roster.Quorum(s.Mode().Namespace(quorum.Approve), r.Signed); err != nil {
		return r, broken(RuleQuorum, "act %s: %w", printable.Text(act), err)
	}
	return r, nil
}

func (s *State) takeBegun(e Event) error {
	if _, err := s.Approval(e.Step); err != nil {
		return err
	}
	if err := s.mayStillDestroy(e); err != nil {
		return err
	}
	s.begun[e.Step], s.open[e.Step], s.begunOf[s.approved[e.Step]] = true, true, true
	return nil
}

func (s *State) takeDone(e Event) error {
	approval, err := s.Approval(e.Step)
	if err != nil {
		return err
	}
	if err := s.mayStillDestroy(e); err != nil {
		return err
	}
	if slices.Contains(fresh, e.Step) && !s.begun[e.Step] {
		return broken(RuleOrder, "act %s: done before it was begun", printable.Text(e.Step))
	}
	if err := s.takeAdopted(e, approval); err != nil {
		return err
	}
	if err := s.takeDisabled(e, approval); err != nil {
		return err
	}
	s.done[e.Step] = true
	delete(s.open, e.Step)
	if next, ok := e.Facts[FactNextRoster+"_sha256"]; ok {
		return s.takeChange(e, approval, next)
	}
	return nil
}

// takeAdopted demands of each version that was adopted that the plan names it with its key, and of
// an adoption no canary of any other.
func (s *State) takeAdopted(e Event, approval Requested) error {
	plan := approval.Event.Facts[FactPlan]
	for name, value := range e.Facts {
		if v, ok := strings.CutPrefix(name, factAdopted); ok &&
			(e.Step != ActAdopt || !strings.Contains(plan, "\nkey: "+v+" id "+value+"\n")) {
			return broken(RuleOrder, "version %s was adopted, and the plan does not name it", printable.Text(v))
		}
		v, ok := strings.CutPrefix(strings.TrimSuffix(name, "_sha256"), factCanary)
		if _, adopted := e.Facts[factAdopted+v]; ok && s.first.Facts[FactKind] == KindAdopt && !adopted {
			return broken(RuleOrder, "a canary of version %s, which was not adopted", printable.Text(v))
		}
	}
	return nil
}

// takeDisabled demands of the plan by which a version was disabled that it names the version, and how long it waits.
func (s *State) takeDisabled(e Event, approval Requested) error {
	if e.Step != ActDisable {
		return nil
	}
	plan, v := approval.Event.Facts[FactPlan], s.first.Facts[FactVersion]
	if !strings.Contains(plan, "\n"+FactVersion+": "+v+"\n") {
		return broken(RuleOrder, "version %s was disabled, and the plan does not name it", printable.Text(v))
	}
	if _, ok := waitOf(plan); !ok {
		return broken(RuleOrder, "version %s was disabled, and the plan has no waiting period", printable.Text(v))
	}
	return nil
}

// waitOf is the waiting period that a plan has in its first line of that name.
func waitOf(plan string) (wait time.Duration, ok bool) {
	for line := range strings.Lines(plan) {
		if text, found := strings.CutPrefix(line, FactWait+": "); found {
			text = strings.TrimSuffix(text, "\n")
			wait, err := time.ParseDuration(text)
			return wait, err == nil && wait > 0 && wait.String() == text
		}
	}
	return 0, false
}

// takeChange takes the act by which the next roster takes effect: the plan named it,
// and each new key was proved.
func (s *State) takeChange(e Event, approval Requested, next string) error {
	plan := approval.Event.Facts[FactPlan]
	if next != s.Next.Digest() || !strings.Contains(plan, "\n"+FactNextRoster+"_sha256: "+next+"\n") {
		return broken(RuleRoster, "the next roster is not the one of the plan")
	}
	s.changed = next
	return s.allJoined()
}
