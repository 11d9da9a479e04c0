package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Run runs a ceremony: the unfinished one of its kind if there is one, else a new one. It
// returns a *BundleError for whatever goes wrong once there is a bundle.
func Run(ctx context.Context, parts Parts, room Room, c Ceremony) error {
	return newEngine(parts, room, c).whole(ctx)
}

func newEngine(parts Parts, room Room, c Ceremony) *engine {
	return &engine{Ceremony: c, site: &Site{Parts: parts, Chain: parts.PinnedChain}, room: room, answers: map[string]string{}}
}

func (e *engine) whole(ctx context.Context) error {
	defer func() {
		if e.log != nil {
			_ = e.log.Close()
		}
		if e.site.Provider != nil {
			_ = e.site.Provider.Close()
		}
	}()
	if err := e.open(ctx); err != nil {
		return err
	}
	if err := e.toTheEnd(ctx); err != nil {
		return &BundleError{e.log.Dir, err}
	}
	return nil
}

// toTheEnd runs what is left of a ceremony that is open. After its last line only finals
// are missing.
func (e *engine) toTheEnd(ctx context.Context) error {
	opened := e.log.State.Opened()
	e.site.Bundle, e.steps = e.log.Dir, e.Steps(opened)
	e.view = View{Kind: e.Kind, Rehearsal: e.site.Mode == quorum.Rehearsal, From: opened.Version(transcript.FactFrom),
		To:      opened.Version(transcript.FactTo),
		Started: time.Now(), Log: lastOf(e.log.Events)}
	if e.log.State.Outcome == "" {
		if err := e.checkCovered(opened); err != nil {
			return err
		}
		if e.aborts {
			if err := e.givesUp(); err != nil {
				return err
			}
		}
		if err := e.run(ctx); err != nil {
			return err
		}
	}
	return e.close(ctx)
}

// open finds the unfinished ceremony or begins the next one.
func (e *engine) open(ctx context.Context) error {
	all, err := e.site.Store.Ceremonies(ctx)
	if err != nil {
		return err
	}
	lock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	unfinished, err := e.unfinished(ctx, all)
	if err != nil {
		return err
	}
	closed := all
	if unfinished != nil {
		closed = all[:len(all)-1]
	}
	for _, c := range all {
		if c.Mode != string(e.site.Mode) {
			return fmt.Errorf("ceremony %d was a %s, this is a %s: %w", c.Seq, printable.Text(c.Mode), e.site.Mode, ErrMode)
		}
	}
	if e.site.History, err = history.Read(ctx, e.site.Store, closed); err != nil {
		return err
	}
	if err := e.site.History.Pinned(lock, e.site.Founding); err != nil {
		return err
	}
	if err := history.RolledBack(e.site.Bundles, all); err != nil {
		return err
	}
	if unfinished != nil {
		return e.resume(ctx, *unfinished, lock)
	}
	return e.begin(ctx, len(all)+1, lock)
}

// lock reads the lock and refuses a configuration that disagrees with it,
// before any token is touched.
func (e *engine) lock(ctx context.Context) (store.Lock, error) {
	l, err := e.site.Store.Lock(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	return l, history.CheckLock(l, e.site.ProviderName, e.site.Chain)
}

// unfinished is the last ceremony if it is open or lacks finals.
func (e *engine) unfinished(ctx context.Context, all []store.Ceremony) (*store.Ceremony, error) {
	if len(all) == 0 {
		return nil, nil
	}
	last := all[len(all)-1]
	if last.Outcome != "" {
		enough, err := history.Finished(ctx, e.site.Store, last)
		if err != nil || enough {
			return nil, err
		}
	}
	if last.Kind != e.Kind {
		return nil, fmt.Errorf("ceremony %d, %s: %w", last.Seq, printable.Text(last.Kind), ErrUnfinished)
	}
	return &last, nil
}

// begin opens the next ceremony: first its number in the store, so that two
// consoles cannot both have it, then the bundle.
func (e *engine) begin(ctx context.Context, seq int, lock store.Lock) error {
	facts, err := e.prepare(ctx, lock)
	if err != nil {
		return err
	}
	e.site.Seq = seq
	opened := time.Now().UTC().Format("2006-01-02T150405Z")
	dir := filepath.Join(e.site.Bundles, fmt.Sprintf("%s-%04d-%s", opened, seq, e.Kind))
	err = e.site.Store.OpenCeremony(ctx, store.Ceremony{Seq: seq, Kind: e.Kind, Mode: string(e.site.Mode),
		Bundle: filepath.Base(dir)})
	if err != nil {
		return err
	}
	e.log, err = transcript.Create(dir, e.site.History.Final, history.Fence{Log: e.site.Store, Seq: seq}, time.Now)
	if err != nil {
		return err
	}
	return e.firstLine(ctx, facts)
}

// prepare decides on what the first line tells: a new ceremony's facts, and its chain.
func (e *engine) prepare(ctx context.Context, lock store.Lock) (Facts, error) {
	facts, err := e.Open(ctx, e.site, lock)
	if err == nil {
		err = e.checkCovered(facts)
	}
	if err == nil {
		err = e.room.Expect(e.Kind, e.Questions(facts))
	}
	if e.site.Chain == "" {
		e.site.Chain = lock.Chain
	}
	if e.site.Chain == "" {
		e.site.Chain = kek.NewChain()
	}
	return facts, err
}

func (e *engine) firstLine(ctx context.Context, facts Facts) error {
	facts[transcript.FactFormat] = "kekceremony transcript v1"
	facts[transcript.FactChain] = string(e.site.Chain)
	facts[transcript.FactCeremony] = strconv.Itoa(e.site.Seq)
	facts[transcript.FactKind] = e.Kind
	facts[transcript.FactMode] = string(e.site.Mode)
	facts[transcript.FactTool] = e.site.Tool.Version
	facts[transcript.FactTool+"_sha256"] = e.site.Tool.SHA256
	facts[transcript.FactScriptSum] = e.scriptSum(e.site.Tool.Version, facts)
	facts[transcript.FactStore] = printable.Text(e.site.Store.Describe())
	for name, sum := range e.site.History.Files {
		facts[transcript.FactPrevious+name] = sum
	}
	_, err := e.append(ctx, transcript.Opened, "", facts)
	return err
}
