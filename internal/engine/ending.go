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
func (e *engine) ending(f *finals, c *signing.Collector) *Ending {
	dir := e.log.Dir
	if e.log.State.Void() {
		dir = transcript.VoidName(dir)
	}
	end := &Ending{Bundle: dir, Digest: transcript.Digest(f.core), Space: e.site.Mode.Namespace(c.Request.Purpose),
		Summary: append(e.summary(), Said(len(e.log.State.Deviations), f.said)...), Next: e.next(e.log.State, dir)}
	if !e.log.State.Void() {
		end.Summary = append(end.Summary, Unagreed(f.agree(c), c.Request.Need)...)
	}
	if f.agreed(c) == nil { // else the rehearsal ends here
		end.Following = e.site.Following
	}
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
				closed[transcript.FactHalfDone]+".")
	}
	return e.Summary(e.facts(), e.log.Events)
}

// next are the commands that people may run after the ceremony, as they are typed.
func (e *engine) next(s transcript.State, bundle string) (all []Next) {
	switch {
	case s.Void():
		all = []Next{{"Next", "kekceremony " + s.Opened()[transcript.FactKind]}}
	case s.Aborted():
		all = []Next{{"Next", "kekceremony status"}}
	case e.Next != nil:
		all = e.Next(e.facts())
	}
	all = append(slices.Clip(all), CheckOf(bundle))
	for i := range all {
		all[i].Command = e.typed(all[i].Command)
	}
	return all
}

// typed is a command as people type it to act on the same parts.
func (e *engine) typed(command string) string {
	if e.site.Typed == nil {
		return command
	}
	return e.site.Typed(command)
}

// CheckOf is the command that checks a bundle.
func CheckOf(bundle string) Next {
	return Next{"Check it", "kekceremony transcript verify " + printable.Word(bundle)}
}

// Deviated lists the deviations, for those who sign the end: the log is closed by then.
func Deviated(all []transcript.Event) []string {
	if len(all) == 0 {
		return []string{"No deviations are recorded. If you saw one, type deviations and say which."}
	}
	lines := []string{fmt.Sprintf("Deviations recorded: %d.", len(all))}
	for _, d := range all {
		lines = append(lines, printable.Shown(Deviation(d.Facts)))
	}
	return lines
}

// Deviation is one that the log has, in a sentence that is still as the log has it.
func Deviation(f Facts) string {
	return fmt.Sprintf("%s: expected %s, seen %s, decided: %s, by %s", f[transcript.FactWhat],
		f[transcript.FactExpected], f[transcript.FactSeen], f[transcript.FactDecided], f[transcript.FactBy])
}

// Said says how many deviations are recorded, and what people said beside their verdicts, by name.
func Said(n int, finals map[string]transcript.Final) (lines []string) {
	deviate := false // somebody says that not all went as the steps say
	for _, name := range slices.Sorted(maps.Keys(finals)) {
		switch f := finals[name]; {
		case f.Verdict == transcript.Followed:
			continue
		case f.Words != "":
			lines = append(lines, fmt.Sprintf("%s signed %s.", name, f.Shown()))
		case f.Verdict == transcript.Deviations:
			lines = append(lines, name+" signed that there were deviations, and not which: write them on the paper script.")
		}
		deviate = true
	}
	switch {
	case n > 0:
		return append([]string{fmt.Sprintf("Deviations: %d, each in the transcript.", n)}, lines...)
	case deviate:
		return append([]string{"No deviation was recorded before the end."}, lines...)
	}
	return append([]string{"No deviations."}, lines...)
}

// Unagreed says of an end that enough have signed that too few of them agree; nothing if enough do.
func Unagreed(agree, need int) []string {
	if agree >= need {
		return nil
	}
	next := transcript.DisagreedNext
	return []string{fmt.Sprintf("Only %d of %d agree with this end: the transcript stays incomplete.", agree, need),
		strings.ToUpper(next[:1]) + next[1:] + "."}
}

func voidSummary(s transcript.State) []string {
	return []string{
		fmt.Sprintf("Given up by %s: %s.", s.Facts[transcript.FactOperator], s.Facts[transcript.FactReason]),
		"It is archived as void, outside every chain. The store is not installed.",
	}
}
