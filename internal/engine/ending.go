package engine

import (
	"fmt"

	"github.com/certautopilot/kekceremony/internal/signing"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// ending is the last page.
func (e *engine) ending(core []byte, c *signing.Collector) *Ending {
	dir := e.log.Dir
	if e.log.State.Void() {
		dir = transcript.VoidName(dir)
	}
	end := &Ending{Bundle: dir, Digest: transcript.Digest(core), Space: e.site.Mode.Namespace(c.Request.Purpose),
		Summary: append(e.summary(), deviated(len(e.site.Deviations)))}
	for _, name := range c.Names() {
		end.Signed = append(end.Signed, fmt.Sprintf("%s (%s)", name, c.Signed[name]))
		if end.Signer == "" {
			end.Signer = name
		}
	}
	return end
}

// summary says what the ceremony did.
func (e *engine) summary() []string {
	if e.log.State.Void() {
		return voidSummary(e.log.State)
	}
	if e.log.State.Aborted() {
		closed := e.log.State.Last().Facts
		return []string{
			"Aborted. Done before: " + closed[transcript.FactDone] + ". Begun and not done: " +
				closed[transcript.FactHalfDone] + ".",
			"Next: run kekceremony status.",
		}
	}
	return e.Summary(e.facts())
}

// deviated says how many deviations there were.
func deviated(n int) string {
	if n == 0 {
		return "No deviations."
	}
	return fmt.Sprintf("Deviations: %d, each in the transcript.", n)
}

func voidSummary(s transcript.State) []string {
	return []string{
		fmt.Sprintf("Given up by %s: %s.", s.Facts[transcript.FactOperator], s.Facts[transcript.FactReason]),
		"It is archived as void, outside every chain. The store is not installed.",
		"Next: run kekceremony " + s.Opened()[transcript.FactKind] + ".",
	}
}
