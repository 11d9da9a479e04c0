package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// archived finishes what an earlier run left of an archive: on this console's disk the bundle
// already has the name of a void one, or the store has the copy.
func (e *engine) archived(ctx context.Context, c store.Ceremony) (bool, error) {
	r, found, err := history.ArchivedAs(ctx, e.site.Store, c)
	dir := filepath.Join(e.site.Bundles, transcript.VoidName(c.Bundle))
	if !history.BundleName.MatchString(c.Bundle) { // of a file nowhere else
		return false, err
	}
	if !found && err == nil && transcript.Gone(filepath.Join(e.site.Bundles, c.Bundle)) {
		found = true
		r, err = transcript.Verify(dir)
	}
	switch {
	case !found:
		return false, err
	case !errors.Is(err, transcript.ErrVoid):
		return true, fmt.Errorf("ceremony %d: bundle %s: %w: %w", c.Seq, dir, history.ErrHistory,
			errors.Join(err, errNotVoid))
	}
	e.site.Seq, e.site.Chain = c.Seq, kek.Chain(r.Opened()[transcript.FactChain])
	if err := e.Void.Made(ctx, e.site, r.State); err != nil {
		return true, err
	}
	if err := history.Archive(ctx, e.site.Store, r); err != nil {
		return true, err
	}
	e.voided(dir, r.State)
	return true, nil
}

var errNotVoid = errors.New("it is not void")

// giveUp ends what was given up: once anybody attended, M sign it. Then it archives.
func (e *engine) giveUp(ctx context.Context) error {
	if err := e.Void.Made(ctx, e.site, e.log.State); err != nil { // the provider is open by now
		return err
	}
	if e.log.State.Came() {
		if err := e.close(ctx); err != nil {
			return err
		}
	} else if e.log.State.Outcome == "" {
		if _, err := e.append(ctx, transcript.Closed, "", e.closing()); err != nil {
			return err
		}
	}
	_ = e.clearSigning()
	dir, err := e.log.Void()
	if err != nil {
		return err
	}
	r, err := transcript.Verify(dir)
	if !errors.Is(err, transcript.ErrVoid) {
		return fmt.Errorf("bundle %s: %w", dir, errors.Join(err, errNotVoid))
	}
	if err := history.Archive(ctx, e.site.Store, r); err != nil {
		return err
	}
	if e.view.Ending == nil {
		e.voided(dir, r.State)
	}
	return nil
}

// voided shows the end of an install that nobody signed.
func (e *engine) voided(dir string, s transcript.State) {
	v := View{Kind: e.Kind, Rehearsal: e.site.Mode == quorum.Rehearsal, Started: time.Now(),
		Ending: &Ending{Bundle: dir, Summary: voidSummary(s), Next: e.next(s, dir)}}
	e.room.Show(v)
}
