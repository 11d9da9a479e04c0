package steps

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// bundleName is what begin names a bundle.
var bundleName = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d{6}Z-\d{4,}-[a-z]+$`)

// resume goes on with a ceremony: it folds its events.
func (e *engine) resume(ctx context.Context, c store.Ceremony, open Opening, lock store.Lock) error {
	dir := filepath.Join(e.site.Bundles, c.Bundle)
	if !bundleName.MatchString(c.Bundle) {
		return fmt.Errorf("ceremony %d: bundle %s: not a directory's name", c.Seq, printable.Quote(c.Bundle))
	}
	// Before anything is written. What cannot be read here, Resume names.
	if events, _, err := readCeremony(ctx, e.site.Store, c.Seq); err == nil {
		if err := e.sameAsOpened(c, events); err != nil {
			return err
		}
	}
	e.site.Seq = c.Seq
	w, torn, err := transcript.Resume(ctx, dir, e.site.History.Final, fence{e.site.Store, c.Seq}, time.Now)
	if err != nil {
		return err
	}
	e.log = w
	if err := e.sameAsOpened(c, w.Events); err != nil { // the first line may have been on the disk alone
		return err
	}
	if len(w.Events) == 0 { // it ended between its number and its first line
		facts, err := open(ctx, e.site, lock)
		if err != nil {
			return err
		}
		if e.site.Chain == "" {
			e.site.Chain = lock.Chain
		}
		return e.firstLine(ctx, facts)
	}
	return e.takeUp(ctx, c, torn, lock)
}

// sameAsOpened refuses a command that names other versions or exclusions than those
// that the ceremony was opened with.
func (e *engine) sameAsOpened(c store.Ceremony, events transcript.Events) error {
	if len(events) == 0 {
		return nil
	}
	opened, why := events[0].Facts, ""
	from, to, excluded := version(opened, factFrom), version(opened, factTo), strings.Join(e.site.Exclude, "\n")
	switch {
	case e.site.From != 0 && from != e.site.From:
		why = fmt.Sprintf("from version %d, asked for %d", from, e.site.From)
	case e.site.Want != 0 && to != 0 && to != e.site.Want:
		why = fmt.Sprintf("to version %d, asked for %d", to, e.site.Want)
	case excluded != "" && excluded != opened[factExcluded]:
		why = "was opened with other exclusions"
	default:
		return nil
	}
	return fmt.Errorf("ceremony %d, %s %s: %w", c.Seq, e.kind, why, ErrUnfinished)
}

// takeUp folds the events and writes that another run goes on.
func (e *engine) takeUp(ctx context.Context, c store.Ceremony, torn string, lock store.Lock) error {
	events := e.log.Events
	e.facts = events.Fold()
	for _, ev := range events {
		if ev.Kind == transcript.Deviation {
			e.site.Deviations = append(e.site.Deviations, ev.Facts)
		}
	}
	if err := e.genuine(c, lock); err != nil {
		return err
	}
	e.resumed = true
	e.site.Chain = kek.Chain(e.facts[transcript.FactChain])
	if text, ok := e.facts[factRoster]; ok {
		r, err := quorum.ParseRoster([]byte(text), e.site.Mode)
		if err != nil {
			return err
		}
		e.site.Roster = r
	}
	if text, ok := e.facts[transcript.FactNextRoster]; ok {
		r, err := quorum.ParseRoster([]byte(text), e.site.Mode)
		if err != nil {
			return err
		}
		e.site.Next = r
	}
	if events[len(events)-1].Kind == transcript.Closed {
		return nil
	}
	if err := e.stillWaiting(); err != nil {
		return err
	}
	facts := Facts{"tool": e.site.Tool.Version, "tool_sha256": e.site.Tool.SHA256}
	if torn != "" {
		facts["torn_sha256"] = torn
	}
	_, err := e.append(ctx, transcript.Resumed, "", facts)
	for i, ev := range e.log.Events {
		if ev.Kind == transcript.Resumed && e.log.Events[i-1].Kind != transcript.Waiting {
			e.since = ev.Seq
		}
	}
	return err
}

// genuine refuses an unfinished ceremony that is not one of this chain: somebody
// who can write to the store may have put it there, with a roster of his own.
func (e *engine) genuine(c store.Ceremony, lock store.Lock) error {
	planted := func(what string) error { return fmt.Errorf("ceremony %d: %s: %w", c.Seq, what, ErrHistory) }
	first := e.log.Events[0]
	switch {
	case first.Prev != e.site.History.Final:
		return planted("it does not follow the last final digest")
	case first.Facts[transcript.FactCeremony] != strconv.Itoa(c.Seq), first.Facts[transcript.FactKind] != e.kind,
		first.Facts[transcript.FactMode] != string(e.site.Mode):
		return planted("its first line is another ceremony's")
	case lock.Chain != "" && first.Facts[transcript.FactChain] != string(lock.Chain):
		return planted("it is of another chain")
	}
	if text, ok := e.facts[factRoster]; ok && lock.Chain != "" && len(e.site.History.Logs) > 0 {
		r, err := e.site.History.Roster(e.site.Mode, lock)
		if err != nil {
			return err
		}
		if text != string(r.Text) {
			return planted("its roster is not the chain's")
		}
	}
	if _, err := transcript.Verify(e.log.Dir); err != nil && !errors.Is(err, transcript.ErrIncomplete) {
		return fmt.Errorf("ceremony %d: %w: %w", c.Seq, ErrHistory, err)
	}
	return nil
}
