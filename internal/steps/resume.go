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
	if log, _, err := readCeremony(ctx, e.site.Store, c.Seq); err == nil {
		if err := e.sameAsOpened(c, log.Opened()); err != nil {
			return err
		}
	}
	e.site.Seq = c.Seq
	w, torn, err := transcript.Resume(ctx, dir, e.site.History.Final, fence{e.site.Store, c.Seq}, time.Now)
	if transcript.IsBroken(err) { // whoever can write to the store can write lines
		return fmt.Errorf("ceremony %d: %w: %w", c.Seq, ErrHistory, err)
	}
	if err != nil {
		return err
	}
	e.log = w
	if err := e.sameAsOpened(c, w.State.Opened()); err != nil { // the first line may have been on the disk alone
		return err
	}
	if len(w.Events) == 0 { // it ended between its number and its first line
		facts, err := e.prepare(ctx, open, lock)
		if err != nil {
			return err
		}
		return e.firstLine(ctx, facts)
	}
	return e.takeUp(ctx, c, torn, lock)
}

// sameAsOpened refuses a command that names other versions or exclusions than those
// that the ceremony was opened with.
func (e *engine) sameAsOpened(c store.Ceremony, opened Facts) error {
	if opened == nil {
		return nil
	}
	why := ""
	from, to, excluded := opened.Version(transcript.FactFrom), opened.Version(transcript.FactTo), strings.Join(e.site.Exclude, "\n")
	switch {
	case e.site.From != 0 && from != e.site.From:
		why = fmt.Sprintf("from version %d, asked for %d", from, e.site.From)
	case e.site.Want != 0 && to != 0 && to != e.site.Want:
		why = fmt.Sprintf("to version %d, asked for %d", to, e.site.Want)
	case excluded != "" && excluded != opened[transcript.FactExclude]:
		why = "was opened with other exclusions"
	default:
		return nil
	}
	return fmt.Errorf("ceremony %d, %s %s: %w", c.Seq, e.kind, why, ErrUnfinished)
}

// takeUp writes that another run goes on with a log.
func (e *engine) takeUp(ctx context.Context, c store.Ceremony, torn string, lock store.Lock) error {
	if err := e.genuine(c, lock); err != nil {
		return err
	}
	e.resumed = true
	e.site.Chain = kek.Chain(e.facts()[transcript.FactChain])
	e.follow()
	if e.log.State.Outcome != "" {
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
	if text, ok := e.facts()[transcript.FactRoster]; ok && lock.Chain != "" && len(e.site.History.Logs) > 0 {
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
