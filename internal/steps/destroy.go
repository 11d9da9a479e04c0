package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// ErrStillThere: the provider said that it destroyed a key, and finds it.
var ErrStillThere = errors.New("the key is still there")

// destroy destroys the key. The version's row says so first: from then on the version is never enabled
// again, and a run that continues only completes.
func destroy() Step {
	return Step{
		Name: transcript.ActDestroy, Title: "Destroy the key", Holds: true,
		Why: "The key is destroyed, and then looked for in each way in which it could be found.",
		Act: &Act{
			Fresh: true,
			Plan:  destroyPlan,
			State: destroyState,
			Do:    doDestroy,
		},
	}
}

// destroyPlan says first what stands in the way of no late writer. A further ceremony only closes copies.
func destroyPlan(s *Site, f Facts) []Effect {
	if f[transcript.FactCloses] == "yes" {
		return []Effect{destroyEffect(s, f)}
	}
	return append(unguarded(s, f.Version(transcript.FactVersion)), destroyEffect(s, f))
}

func destroyEffect(s *Site, f Facts) Effect {
	n := s.Name(f.Version(transcript.FactVersion))
	verb := "destroy"
	if f[transcript.FactOnToken] == "no" {
		verb = "remove"
	}
	if f[transcript.FactGone] == "yes" {
		return Effect{Verb: "record as destroyed", Undo: "none", Object: fmt.Sprintf(
			"version %d: its key %s, id %s, is not found, and no ceremony destroyed it", n.Version, n.Label, n.HexID())}
	}
	return Effect{Verb: verb, Object: fmt.Sprintf("version %d, key %s, id %s", n.Version, n.Label, n.HexID()),
		Undo: "none: it makes unreadable " + unreadable(f)}
}

// destroyState is done once the row says that it was begun, or that it is over, and the provider finds no
// key. Where copies are open it stays begun.
func destroyState(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
	v := f.Version(transcript.FactVersion)
	row, err := rowOf(ctx, s, v)
	if err != nil || f[transcript.FactBegun+transcript.ActDestroy] == "" || mayBeGone(s, f) != nil ||
		row != store.Destroying && row != store.Destroyed {
		return NotBegun, nil, err
	}
	all, err := s.Provider.Search(ctx, s.Name(v))
	if err != nil {
		return Partly, nil, err
	}
	open, err := openCopies(ctx, s, f)
	if err != nil || provider.Left(all) || (row == store.Destroyed) != (len(open) == 0) {
		return Partly, nil, err
	}
	if row == store.Destroying && !s.Kind.OnToken() { // a run may have ended while a process still had it
		if names, err := holders(ctx, s, v); err != nil || len(names) > 0 {
			return Partly, nil, err
		}
	}
	facts := Facts{factSearched: printable.Text(provider.Evidence(all))}
	if len(open) > 0 {
		facts[transcript.FactCopies] = joinCopies(open)
	}
	return Done, facts, nil
}

// openCopies are those of the verdicts that are open, without the one here, and the places that people said are
// lost.
func openCopies(ctx context.Context, s *Site, f Facts) ([]string, error) {
	if f[factSearched] != "" { // it was done, perhaps elsewhere
		return openOf(f[transcript.FactCopies]), nil
	}
	about, err := s.Provider.Describe(ctx)
	open := stillOpen(f[factVerdicts], about["serial"], transcript.KeyPlace(about))
	for _, place := range f.Attempts() {
		if place != transcript.KeyPlace(about) && !slices.ContainsFunc(openOf(f[factVerdicts]), func(entry string) bool {
			serial, _, _ := strings.Cut(entry, ": ")
			return isCopy(place, serial)
		}) {
			open = append(open, place+": "+unreachable)
		}
	}
	return open, err
}

func doDestroy(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
	v := f.Version(transcript.FactVersion)
	at, err := here(ctx, s)
	if err == nil {
		err = notKept(f)
	}
	if err == nil { // they may have been said at another token
		_, err = checkVerdicts(s, f, f[factVerdicts])
	}
	if err == nil {
		err = d.Note(ctx, Facts{transcript.FactAttempt: "to destroy the key of version " + v.String() + ", " + at})
	}
	if err != nil {
		return nil, err
	}
	row, err := rowOf(ctx, s, v)
	if err == nil && row != store.Destroying && row != store.Destroyed {
		err = s.Store.MoveKEK(ctx, v, store.Disabled, store.Destroying)
	}
	if err != nil {
		return nil, err
	}
	if err := destroyHere(ctx, s, f, d); err != nil {
		return nil, err
	}
	open, err := openCopies(ctx, s, f)
	if err == nil && len(open) == 0 && row != store.Destroyed {
		err = s.Store.MoveKEK(ctx, v, store.Destroying, store.Destroyed)
	}
	return nil, err
}

// destroyHere has the provider destroy the key, looks for it, and where keys are configuration demands
// that no process has it.
func destroyHere(ctx context.Context, s *Site, f Facts, d Desk) error {
	v := f.Version(transcript.FactVersion)
	row, err := rowOf(ctx, s, v)
	if err == nil && !row.Doomed() { // an abort on another console kept the key
		err = fmt.Errorf("version %d is %s: %w", v, row, transcript.ErrFenced)
	}
	if err != nil {
		return err
	}
	err = s.Provider.Destroy(ctx, s.Name(v))
	if errors.Is(err, provider.ErrNoKey) {
		err = mayBeGone(s, f)
	}
	if err != nil {
		return kept(ctx, s, f, d, err)
	}
	gone, err := goneHere(ctx, s, v)
	if err == nil && !gone {
		err = fmt.Errorf("version %d: %w", v, ErrStillThere)
	}
	if err != nil {
		return err
	}
	d.Show(func(v *View) { v.Details = destroyedDetails(s, f, time.Now()) })
	if s.Kind.OnToken() {
		return nil
	}
	return noneHasIt(ctx, s, v, d)
}

// destroyedDetails say on the page which key is gone, and what was found directly before.
func destroyedDetails(s *Site, f Facts, at time.Time) []Detail {
	n := s.Name(f.Version(transcript.FactVersion))
	all := []Detail{{Name: "key", Value: fmt.Sprintf("%s: not here any more, seen at %s", n.Label,
		at.UTC().Format("15:04:05 UTC"))}}
	if before := f[factUnusedStill]; before != "" {
		all = append(all, Detail{Name: "checked before", Value: "envelopes: " + inUTC(before) + "; no process had the key"})
	}
	return all
}

// kept is what comes of an error of the provider. Where it refuses, and nothing was destroyed before, the version is
// disabled as it was, and the log says that the ceremony may be aborted.
func kept(ctx context.Context, s *Site, f Facts, d Desk, err error) error {
	if !errors.Is(err, provider.ErrKept) || f[transcript.FactCloses] == "yes" {
		return err
	}
	v, at := f.Version(transcript.FactVersion), ""
	gone, lookErr := goneHere(ctx, s, v)
	if lookErr == nil {
		at, lookErr = here(ctx, s)
	}
	if lookErr != nil || gone || slices.ContainsFunc(f.Attempts(), func(place string) bool { return place != at }) {
		return errors.Join(err, lookErr)
	}
	if moveErr := s.Store.MoveKEK(ctx, v, store.Destroying, store.Disabled); moveErr != nil {
		return errors.Join(err, moveErr)
	}
	return errors.Join(err, d.Note(ctx, Facts{transcript.FactKept: printable.Text(err.Error())}))
}
