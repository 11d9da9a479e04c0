package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Ceremony is everything that the engine knows of one kind of ceremony.
type Ceremony struct {
	Kind string
	// Open decides on a new ceremony's first facts, or refuses it. It reads the store and
	// touches no token.
	Open func(context.Context, *Site, store.Lock) (Facts, error)
	// Matches refuses a command that names something else than the ceremony opened with;
	// nil: it names nothing.
	Matches func(opened Facts) error
	// Steps follow from the facts of the first line.
	Steps func(opened Facts) []Step
	// Binds is what a plan binds beside the ceremony and the effects of its acts. The
	// same world gives the same lines.
	Binds func(ctx context.Context, s *Site, f Facts, acts []string) ([]Detail, error)
	// Summary says what a ceremony that is done has done, by its log.
	Summary func(Facts, transcript.Events) []string
	// Next are the commands that people may run after one that is done; nil: none.
	Next func(Facts) []Next
	// Command continues one.
	Command func(opened Facts) string
	// Keep are the steps by which an abort shows that nothing was done of a Fresh act that was begun: the log is Kept
	// after them. nil: only the ceremony's own command ends it.
	Keep func() []Step
	// Intact says of a closed log that is Kept whether the key is still whole.
	Intact func(context.Context, *Site, Facts) error
	// Void is how it is given up while it has made nothing. nil: it is aborted.
	Void *Void
	// Changed says what the configuration, or a file that people brought, says now and did not
	// when the log was begun. given is what a file of answers says. Of a *DeviationError people
	// may decide that the ceremony continues with what the log has. nil: nothing is compared.
	Changed func(s *Site, log transcript.State, given func(question string) string) error
}

// Void is how people give up a ceremony that no other follows, while it has made nothing: it
// is archived outside every chain, and the store is as it was before.
type Void struct {
	// Steps are the questions, and before them, where the log needs it, attendance and login.
	Steps func(log transcript.State) []Step
	// Made refuses it once anything was made: with ErrNoAbort. Where an act was begun it
	// looks at the provider, if that is open.
	Made func(ctx context.Context, s *Site, log transcript.State) error
}

// Questions lists everything that a ceremony asks which opens with these facts.
func (c Ceremony) Questions(opened Facts) (fields []Field) {
	for _, s := range c.Steps(opened) {
		if s.Ask != nil {
			fields = append(fields, s.Ask.Fields...)
		}
	}
	return fields
}

// checkCovered refuses a ceremony with an act that no earlier approval covers.
func (c Ceremony) checkCovered(opened Facts) error {
	var covered []string
	for _, s := range c.Steps(opened) {
		if s.Gather != nil {
			covered = append(covered, s.Gather.Acts...)
		}
		if s.Act != nil && !slices.Contains(covered, s.Name) {
			return fmt.Errorf("ceremony %s: act %s: no approval covers it", c.Kind, s.Name)
		}
	}
	return nil
}
