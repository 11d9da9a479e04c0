package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
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
		Summary: append(e.summary(), counted(len(e.log.State.Deviations), saying(c.Signed, transcript.Deviations)))}
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
		closed, kept := e.log.State.Last().Facts, []string(nil)
		if e.log.State.Kept() {
			kept = []string{"The key was kept as it was found: its canary opened with it."}
		}
		return append(kept,
			"Aborted. Done before: "+closed[transcript.FactDone]+". Begun and not done: "+
				closed[transcript.FactHalfDone]+".",
			"Next: run kekceremony status.")
	}
	return e.Summary(e.facts())
}

// Deviated lists the deviations, for those who sign the end: the log is closed by then.
func Deviated(all []transcript.Event) []string {
	if len(all) == 0 {
		return []string{"No deviations are recorded. If you saw one, write it on the paper script."}
	}
	lines := []string{fmt.Sprintf("Deviations recorded: %d.", len(all))}
	for _, d := range all {
		lines = append(lines, printable.Shown(fmt.Sprintf("%s: expected %s, seen %s, decided: %s, by %s",
			d.Facts[transcript.FactWhat], d.Facts[transcript.FactExpected], d.Facts[transcript.FactSeen],
			d.Facts[transcript.FactDecided], d.Facts[transcript.FactBy])))
	}
	return lines
}

// counted says how many deviations are recorded, and who signed that there were some.
func counted(n int, said []string) string {
	who := strings.Join(said, ", ")
	switch {
	case n > 0:
		return fmt.Sprintf("Deviations: %d, each in the transcript.", n)
	case who == "":
		return "No deviations."
	}
	return fmt.Sprintf("No deviation is recorded, but %s signed that there were some: write them on the paper script.",
		who)
}

// saying are the people who signed a verdict, by name.
func saying(signed map[string]string, v transcript.Verdict) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(signed)) {
		if signed[name] == string(v) {
			names = append(names, name)
		}
	}
	return names
}

func voidSummary(s transcript.State) []string {
	return []string{
		fmt.Sprintf("Given up by %s: %s.", s.Facts[transcript.FactOperator], s.Facts[transcript.FactReason]),
		"It is archived as void, outside every chain. The store is not installed.",
		"Next: run kekceremony " + s.Opened()[transcript.FactKind] + ".",
	}
}
