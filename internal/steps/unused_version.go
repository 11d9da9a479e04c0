package steps

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Refusals of a destruction because something needs the version.
var (
	ErrHeld      = errors.New("a process still holds this version")
	ErrCatalogue = errors.New("a place of the catalogue that the version was disabled with is not in it any more")
	ErrAbsent    = errors.New("processes that are expected are not there")
)

// mayDestroy refuses, with evidence, what anything may still need: at the opening, before people
// approve, and after the last signature directly before the act. begun: a run before this one began
// the act here.
func mayDestroy(ctx context.Context, s *Site, v kek.Version, begun bool) error {
	by, ok := s.History.Disabled(v)
	if !ok {
		return fmt.Errorf("version %d: %w", v, ErrNotDisabled)
	}
	return refusalsOf(
		func() error { return waited(ctx, s, by) },
		func() error { return samePlaces(s, by) },
		func() error { return needed(ctx, s, v) },
		func() error { return stillFenced(ctx, s) },
		func() error { return noneHolds(ctx, s, v, begun) },
		func() error { return allThere(ctx, s, v) },
		func() error { return noneRefused(ctx, s, v, by) },
	)
}

// notYet are the refusals of a destruction beside which others may stand. By clocks that do not agree, nobody knows who
// is there.
var notYet = []error{ErrWaiting, ErrCatalogue, ErrStrangers, ErrNeeded, ErrAnyVersion, ErrFenceGone, ErrHeld, ErrAbsent,
	ErrRefused}

// refusalsOf looks on after a refusal, and not after any other error, which the next look would have too. What people
// may decide on in the ceremony is for them only where it comes alone: beside anything else it begins none.
func refusalsOf(looks ...func() error) error {
	var all Refusals
	for _, look := range looks {
		err := look()
		if err == nil {
			continue
		}
		all = append(all, err)
		if !slices.ContainsFunc(notYet, func(known error) bool { return errors.Is(err, known) }) {
			break
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	for i, err := range all {
		all[i] = undecided(err)
	}
	return all
}

// samePlaces demands every place of the catalogue that the version was disabled with: what is not
// looked at is not counted, whatever its form.
func samePlaces(s *Site, by history.Disabling) error {
	now := strings.Fields(s.Catalogue.String())
	log := s.History.Logs[by.Ceremony-1]
	for place := range strings.FieldsSeq(planned(log, "catalogue")) {
		if !slices.Contains(now, place) {
			return fmt.Errorf("%s: %w", printable.Text(place), ErrCatalogue)
		}
	}
	return nil
}

// planned is what the plan that people signed last in a ceremony says under a name.
func planned(log transcript.State, name string) string {
	for _, act := range transcript.Required(log.Opened()) {
		approval, err := log.Approval(act)
		if err != nil {
			continue
		}
		for line := range strings.Lines(approval.Event.Facts[transcript.FactPlan]) {
			if value, ok := strings.CutPrefix(line, name+": "); ok {
				return strings.TrimSuffix(value, "\n")
			}
		}
	}
	return ""
}

// noneHolds demands that no live process has a proof of the version, whether the proof is a good one or not.
// Once the row says that a destruction was begun, a process whose host has
// the key in its configuration proves it, and reads nothing with it: a run that continues would wait for the
// very key that it is to remove. Whether it is gone everywhere is asked at the end.
func noneHolds(ctx context.Context, s *Site, v kek.Version, begun bool) error {
	row, err := rowOf(ctx, s, v)
	if err != nil {
		return err
	}
	confessed := begun && row == store.Destroying && !s.Kind.OnToken()
	names, err := holders(ctx, s, v)
	if err == nil && len(names) > 0 && !confessed {
		err = fmt.Errorf("version %d: %s: %w", v, names.Text(), ErrHeld)
	}
	return err
}

// allThere demands every expected role.
func allThere(ctx context.Context, s *Site, v kek.Version) error {
	t, err := fleet.Look(ctx, s.Store, ruleOf(s, v))
	if err == nil && len(t.Missing) > 0 {
		err = fmt.Errorf("only %s: %w", t.Short(), ErrAbsent)
	}
	return err
}

// holders are the live processes whose heartbeat has a proof of a version, and until when each counts as live if no
// other heartbeat of it comes. One that relies on what it saw for longer than this console waits is live for as long.
func holders(ctx context.Context, s *Site, v kek.Version) (names printable.List, err error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.Store.Heartbeats(ctx, time.Time{})
	for _, b := range all {
		until := b.Seen.Add(max(s.Fleet.Live, b.Lease))
		if !now.After(until) && !b.Stopped && b.Proofs[v] != "" {
			names = append(names, printable.Text(fmt.Sprintf("process %d on host %s (%s), live until %s", b.PID, b.Host,
				b.Process, until.UTC().Format("2006-01-02 15:04:05 UTC"))))
		}
	}
	return names, err
}

// factUnusedStill is what the look directly before the destruction found.
const factUnusedStill = "envelopes_unused_still"

// stamp is a time as facts have it.
var stamp = regexp.MustCompile(`(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)Z`)

// inUTC has times of a fact as pages have them.
func inUTC(fact string) string { return stamp.ReplaceAllString(fact, "$1 $2 UTC") }

// unneededDetails are what a look for what needs the version found, for the page: nothing, or what came once the key
// was gone.
func unneededDetails(counted string) []Detail {
	counted = inUTC(counted)
	if !strings.HasPrefix(counted, "none ") {
		return []Detail{{Name: "envelopes", Value: counted}}
	}
	return []Detail{{Name: "envelopes", Value: counted}, {Name: "processes", Value: "none has the key"},
		{Name: "refused uses", Value: "none, or the operators explained them"}}
}

// unusedVersion looks again for what needs the version. after says that people have approved. Once the key is gone,
// what is found cannot be helped any more, and stands in the transcript.
func unusedVersion(name string, after bool) Step {
	title := "Nothing needs the version"
	why := "Nothing may need the version: no envelope, no process, no refused use since it was disabled."
	if after { // it holds no page: nothing may come between it and the act
		title = "Check again that nothing needs the version"
		why = "This is checked again after the last signature, directly before the key is destroyed."
	}
	return Step{
		Name: name, Title: title, EveryRun: true, Holds: !after, Why: why,
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			v := f.Version(transcript.FactVersion)
			counted := "none at version " + v.String() + " at " + time.Now().UTC().Format(timeForm)
			begun, err := triedHere(ctx, s, f)
			if err != nil {
				return nil, err
			}
			if err := mayDestroy(ctx, s, v, begun); err != nil {
				if after {
					err = undecided(err)
				}
				gone, lookErr := goneHere(ctx, s, v)
				if lookErr != nil || !gone || !begun {
					return nil, errors.Join(err, lookErr)
				}
				counted = "the key is gone; " + printable.Text(err.Error())
			}
			d.Show(func(v *View) { v.Details = unneededDetails(counted) })
			return Facts{"envelopes_" + strings.ReplaceAll(name, "-", "_"): counted}, nil
		},
	}
}
