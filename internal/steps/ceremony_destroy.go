package steps

import (
	"context"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Destroy destroys the key of a disabled version, which nobody gets back. v is the version that the
// command names; 0: none. While copies of the key are open, the same command runs a further ceremony,
// which closes some.
func Destroy(v kek.Version) Ceremony {
	return Ceremony{
		Kind: transcript.KindDestroy, Open: openDestroy(v), Steps: destroySteps, Binds: bindDestroy,
		Keep: keeping, Intact: stillWhole, Matches: names(v), Command: onVersion("destroy"), Summary: summarizeDestroy,
		Next: func(f Facts) []engine.Next {
			if len(openOf(f[transcript.FactCopies])) == 0 {
				return nil
			}
			return []engine.Next{{Label: "Next", Command: onVersion("destroy")(f)}}
		},
	}
}

func summarizeDestroy(f Facts, log transcript.Events) []string {
	v := f[transcript.FactVersion]
	lines := []string{destroyedAt(f, log), fmt.Sprintf("Then the key of version %s was looked for here: %s.", v,
		transcript.Said(factSearched, f[factSearched]))}
	if hosts := f["hosts"]; hosts != "" {
		lines = append(lines, "Removed from the other hosts, as people said: "+hosts+".")
	}
	if len(openOf(f[transcript.FactCopies])) > 0 {
		return append(lines, fmt.Sprintf("Version %s is %s here, and copies of its key are open: %s.",
			f[transcript.FactVersion], destroyedWord(f), f[transcript.FactCopies]),
			"Next: close them, then destroy the version again.")
	}
	lines = append(lines, fmt.Sprintf("Version %s is %s: no copy is known.", v, destroyedWord(f)))
	if f[transcript.FactOnToken] == "no" {
		lines = append(lines, "Removed is less than destroyed: a disk or a backup of the file may still have the key.")
	}
	return lines
}

// destroyedAt says what the act was, and when it was done.
func destroyedAt(f Facts, log transcript.Events) string {
	says, at := "The key of version "+f[transcript.FactVersion]+" was destroyed", ""
	switch {
	case f[transcript.FactCloses] == "yes":
		says = "What became of the open copies of version " + f[transcript.FactVersion] + " was recorded"
	case f[transcript.FactGone] == "yes":
		says = "The key of version " + f[transcript.FactVersion] + " was recorded as gone"
	case f[transcript.FactOnToken] == "no":
		says = "The key of version " + f[transcript.FactVersion] + " was removed from the configuration here"
	}
	for _, e := range log {
		if e.Kind == transcript.Done && e.Step == transcript.ActDestroy {
			at = " at " + e.Clock().UTC().Format("2006-01-02 15:04:05") + " UTC"
		}
	}
	return says + at + "."
}

// destroyedWord is how people call it: a line of a file is removed, and a disk may keep what it had.
func destroyedWord(f Facts) string {
	switch {
	case f[transcript.FactGone] == "yes":
		return "recorded as destroyed, though no ceremony destroyed its key"
	case f[transcript.FactOnToken] == "no":
		return "removed"
	}
	return "destroyed"
}

func destroySteps(f Facts) []Step {
	steps := []Step{chainRoster(), attend(false), place(), pin(), probe(false), doomed()}
	if f[transcript.FactCloses] != "yes" {
		steps = append(steps, unusedVersion("unused", false))
	}
	steps = append(steps, askVerdicts(f), approve("approve", transcript.ActDestroy))
	if f[transcript.FactCloses] != "yes" {
		steps = append(steps, unusedVersion("unused-still", true))
	}
	steps = append(steps, destroy())
	if f[transcript.FactOnToken] == "no" {
		steps = append(steps, askHosts())
	}
	return append(steps, leaving())
}

// openDestroy refuses, with what it found, a version that anything may still need.
func openDestroy(v kek.Version) func(context.Context, *Site, store.Lock) (Facts, error) {
	return func(ctx context.Context, s *Site, lock store.Lock) (Facts, error) {
		keks, active, err := installed(ctx, s, lock)
		if err == nil {
			err = checkTheirs(ctx, s, nil)
		}
		if err != nil {
			return nil, err
		}
		state, err := leftState(s, keks, active, v)
		if err != nil {
			return nil, err
		}
		facts := Facts{transcript.FactVersion: v.String(), transcript.FactOnToken: "yes",
			transcript.FactRecorded: joinCopies(recordedCopies(s, v))}
		if !s.Kind.OnToken() {
			facts[transcript.FactOnToken] = "no"
		}
		if state == store.Destroying {
			return closing(s, v, facts), nil
		}
		by, ok := s.History.Disabled(v)
		if !ok {
			return nil, fmt.Errorf("version %d: no ceremony that ended as done disabled it: %w", v, ErrNotDisabled)
		}
		facts[transcript.FactDisabledBy] = fmt.Sprintf("%d %s", by.Ceremony, by.Final)
		facts[transcript.FactWaitEnds] = by.Ends().Format(timeForm)
		return facts, forPeople(mayDestroy(ctx, s, v, false))
	}
}

// closing adds to the facts of a further ceremony what the one before it began with.
func closing(s *Site, v kek.Version, facts Facts) Facts {
	facts[transcript.FactCloses] = "yes"
	for _, log := range s.History.Logs {
		if opened := log.Opened(); log.Begun(transcript.ActDestroy) && opened.Version(transcript.FactVersion) == v {
			facts[transcript.FactDisabledBy], facts[transcript.FactWaitEnds] = opened[transcript.FactDisabledBy],
				opened[transcript.FactWaitEnds]
		}
	}
	return facts
}

// leftState is where the ceremonies left a version that may be destroyed. The store's row must say
// the same: it is never what is believed.
func leftState(s *Site, keks []store.KEK, active store.Active, v kek.Version) (store.State, error) {
	made, ok := s.History.Versions().Made[v]
	i := slices.IndexFunc(keks, func(k store.KEK) bool { return k.Version == v })
	switch {
	case !ok || i < 0:
		return "", fmt.Errorf("version %d: %w", v, ErrNoSuchVersion)
	case v == active.Version || v == s.History.Versions().Active:
		return "", fmt.Errorf("version %d is active, writers use it: %w", v, ErrNotDisabled)
	case made.State == store.Destroyed:
		return "", fmt.Errorf("version %d is destroyed: %w", v, engine.ErrNothingDue)
	case made.State != store.Disabled && made.State != store.Destroying:
		return "", fmt.Errorf("version %d is %s: %w", v, made.State, ErrNotDisabled)
	case made.State == store.Destroying && keks[i].State == store.Disabled: // the probe offers that as a deviation
	case keks[i].State != made.State:
		return "", fmt.Errorf("version %d was %s, is %s: %w", v, made.State, keks[i].State, history.ErrVersions)
	}
	return made.State, nil
}

// bindDestroy adds to what every plan binds the very key, the ceremony that disabled its version, and
// what becomes of each copy.
func bindDestroy(ctx context.Context, s *Site, f Facts, acts []string) ([]Detail, error) {
	lines, err := bind(ctx, s, f, acts)
	n := s.Name(f.Version(transcript.FactVersion))
	for _, d := range []Detail{
		{Name: "key", Value: fmt.Sprintf("%s id %s", n.Label, n.HexID())},
		{Name: transcript.FactDisabledBy, Value: f[transcript.FactDisabledBy]},
		{Name: transcript.FactWaitEnds, Value: f[transcript.FactWaitEnds]},
		{Name: "copies", Value: f[factVerdicts]},
	} {
		lines = append(lines, d)
	}
	return lines, err
}
