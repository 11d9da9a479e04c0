package engine

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// resume continues a ceremony.
func (e *engine) resume(ctx context.Context, c store.Ceremony, lock store.Lock) error {
	fence := history.Fence{Log: e.site.Store, Seq: c.Seq}
	dir := filepath.Join(e.site.Bundles, c.Bundle)
	if !history.BundleName.MatchString(c.Bundle) {
		return fmt.Errorf("ceremony %d: bundle %s: not a directory's name", c.Seq, printable.Quote(c.Bundle))
	}
	if transcript.Gone(dir) { // a store that went back has it all the same
		return fmt.Errorf("ceremony %d, %s: %w", c.Seq, e.Kind, ErrGivenUp)
	}
	// Before anything is written. What cannot be read here, Resume names.
	if log, _, err := fence.State(ctx); err == nil {
		if err := e.sameAsOpened(c, log.Opened()); err != nil {
			return err
		}
	}
	e.site.Seq = c.Seq
	if e.site.Restored {
		if err := transcript.Restore(dir); err != nil {
			return err
		}
	}
	w, cut, err := transcript.Resume(ctx, dir, e.site.History.Final, fence, time.Now)
	if transcript.IsBroken(err) { // anyone who can write to the store can write lines
		return fmt.Errorf("ceremony %d: %w: %w", c.Seq, history.ErrHistory, err)
	}
	if err != nil {
		return err
	}
	e.log, e.found = w, len(w.Events)
	if err := e.sameAsOpened(c, w.State.Opened()); err != nil { // the first line may have been on the disk alone
		return err
	}
	if len(w.Events) == 0 { // it ended between its number and its first line
		facts, err := e.prepare(ctx, lock)
		if err != nil {
			return err
		}
		return e.firstLine(ctx, facts)
	}
	return e.takeUp(ctx, c, cut, lock)
}

// sameAsOpened refuses a command that names something else than the ceremony was opened
// with.
func (e *engine) sameAsOpened(c store.Ceremony, opened Facts) error {
	if opened != nil && e.site.Bind && opened[transcript.FactBound] != "yes" {
		return fmt.Errorf("ceremony %d, %s without --bind: %w", c.Seq, e.Kind, ErrUnfinished)
	}
	if opened == nil || e.Matches == nil {
		return nil
	}
	if err := e.Matches(opened); err != nil {
		return fmt.Errorf("ceremony %d, %s %w: %w", c.Seq, e.Kind, err, ErrUnfinished)
	}
	return nil
}

// takeUp writes that another run continues with a log.
func (e *engine) takeUp(ctx context.Context, c store.Ceremony, cut Facts, lock store.Lock) error {
	if err := e.genuine(c, lock); err != nil {
		return err
	}
	e.resumed = true
	e.site.opened(e.log.State.Opened())
	e.follow()
	if e.log.State.Void() && !e.voids() {
		return fmt.Errorf("ceremony %d, %s: %w", c.Seq, e.Kind, ErrGivenUp)
	}
	if e.log.State.Outcome != "" {
		return nil
	}
	decided, err := e.compare(ctx)
	if err != nil {
		return err
	}
	if err := e.stillWaiting(); err != nil && decided == nil {
		return err
	}
	facts := e.site.Tool.facts()
	maps.Copy(facts, cut)
	if _, err := e.append(ctx, transcript.Resumed, "", facts); err != nil || decided == nil {
		return err
	}
	return e.deviate(ctx, decided[transcript.FactWhat], decided)
}

// genuine refuses an unfinished ceremony that is not one of this chain: somebody
// who can write to the store may have put it there, with a roster of his own.
func (e *engine) genuine(c store.Ceremony, lock store.Lock) error {
	planted := func(what string) error { return fmt.Errorf("ceremony %d: %s: %w", c.Seq, what, history.ErrHistory) }
	first := e.log.Events[0]
	switch {
	case first.Prev != e.site.History.Final:
		return planted("it does not follow the last final digest")
	case first.Facts[transcript.FactCeremony] != strconv.Itoa(c.Seq), first.Facts[transcript.FactKind] != e.Kind,
		first.Facts[transcript.FactMode] != string(e.site.Mode):
		return planted("its first line is another ceremony's")
	case lock.Chain != "" && first.Facts[transcript.FactChain] != string(lock.Chain):
		return planted("it is of another chain")
	}
	for _, ev := range e.log.Events {
		if final, ok := ev.Facts[transcript.FactFinal]; ok && final != first.Prev {
			return planted("it asks people to attend after " + printable.Text(final) + ", and follows " + first.Prev)
		}
	}
	if text, ok := e.facts()[transcript.FactRoster]; ok && lock.Chain != "" && len(e.site.History.Logs) > 0 {
		r, err := e.site.History.Roster(e.site.Mode, lock)
		if err != nil {
			return err
		}
		if text != string(r.Text) {
			return planted("its roster is not the chain's")
		}
	}
	if _, err := transcript.Verify(e.log.Dir); transcript.StandingOf(err) == transcript.Bad {
		return fmt.Errorf("ceremony %d: %w: %w", c.Seq, history.ErrHistory, err)
	}
	return nil
}

// stillWaiting is the wait that an earlier run ended with, when nobody is here and
// nothing was brought since: then nothing is written, however often somebody looks.
func (e *engine) stillWaiting() error {
	last := e.log.State.Last()
	req, ok := e.log.State.Requested(last.Step)
	if last.Kind != transcript.Waiting || !ok || e.aborts || !e.room.Alone() {
		return nil
	}
	w := &WaitingError{Step: last.Step}
	_, _ = fmt.Sscan(last.Facts[transcript.FactHave], &w.Have)
	_, _ = fmt.Sscan(last.Facts[transcript.FactNeed], &w.Need)
	for _, name := range strings.Split(last.Facts[transcript.FactFor], ", ") {
		path := filepath.Join(e.signingDir(), req.File(name))
		_, away := os.Lstat(path)
		if _, err := os.Lstat(path + ".sig"); err == nil || away != nil {
			return nil // a signature was brought, or the statement was carried away and is written again
		}
		w.Sign = append(w.Sign, name+": "+quorum.SignLine(req.Namespace(), path))
	}
	return &BundleError{e.log.Dir, w}
}
