package steps

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Define turns the facts of the opened event into the steps of a ceremony.
type Define func(Facts) []Step

// Opening decides on a new ceremony's first facts, or refuses it. It reads the
// store and touches no token.
type Opening func(context.Context, *Site, store.Lock) (Facts, error)

// Hold holds a ceremony of a kind: the unfinished one if there is one, else a
// new one. It returns a *BundleError for whatever goes wrong once there is a
// bundle.
func Hold(ctx context.Context, site *Site, room Room, kind string, open Opening, define Define) error {
	return (&engine{site: site, room: room, kind: kind, define: define}).whole(ctx, open)
}

func (e *engine) whole(ctx context.Context, open Opening) error {
	site := e.site
	defer func() {
		if e.log != nil {
			_ = e.log.Close()
		}
		if site.Provider != nil {
			_ = site.Provider.Close()
		}
	}()
	if err := e.open(ctx, open); err != nil {
		return err
	}
	site.Bundle = e.log.Dir
	e.steps = e.define(e.log.Events[0].Facts)
	e.view = View{Kind: e.kind, Mode: site.Mode, From: e.facts().Version(transcript.FactFrom), To: e.facts().Version(transcript.FactTo), Started: time.Now(), Log: lastOf(e.log.Events)}
	var err error
	if e.log.State.Outcome == "" { // after the last line only finals are missing
		if e.aborts {
			err = e.givesUp()
		}
		if err == nil {
			err = e.run(ctx)
		}
	}
	if err == nil {
		err = e.close(ctx)
	}
	if err != nil {
		return &BundleError{e.log.Dir, err}
	}
	return nil
}

// open finds the unfinished ceremony or begins the next one.
func (e *engine) open(ctx context.Context, open Opening) error {
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
	if e.site.History, err = readHistory(ctx, e.site.Store, closed); err != nil {
		return err
	}
	if err := e.site.History.genuine(e.site, lock); err != nil {
		return err
	}
	if err := rolledBack(e.site.Bundles, all); err != nil {
		return err
	}
	if unfinished != nil {
		return e.resume(ctx, *unfinished, open, lock)
	}
	return e.begin(ctx, len(all)+1, open, lock)
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
	return l, CheckLock(l, e.site.ProviderName, e.site.Chain)
}

// CheckLock refuses a configured provider or chain that the lock disagrees
// with. An empty chain is not pinned.
func CheckLock(l store.Lock, provider string, chain kek.Chain) error {
	if l.Provider != provider {
		return fmt.Errorf("provider: configured %s, locked %s: %w", provider, printable.Text(l.Provider), ErrLockDiffers)
	}
	if chain != "" && l.Chain != chain {
		return fmt.Errorf("chain: configured %s, locked %s: %w", chain, printable.Text(string(l.Chain)), ErrLockDiffers)
	}
	return nil
}

// unfinished is the last ceremony if it is open or lacks finals.
func (e *engine) unfinished(ctx context.Context, all []store.Ceremony) (*store.Ceremony, error) {
	if len(all) == 0 {
		return nil, nil
	}
	last := all[len(all)-1]
	if last.Outcome != "" {
		enough, err := enoughFinals(ctx, e.site, last)
		if err != nil || enough {
			return nil, err
		}
	}
	if last.Kind != e.kind {
		return nil, fmt.Errorf("ceremony %d, %s: %w", last.Seq, printable.Text(last.Kind), ErrUnfinished)
	}
	return &last, nil
}

// enoughFinals reports whether M people have signed the end of a closed ceremony.
func enoughFinals(ctx context.Context, s *Site, c store.Ceremony) (bool, error) {
	if c.Outcome == "" {
		return false, nil
	}
	log, files, err := readCeremony(ctx, s.Store, c.Seq)
	if err != nil {
		return false, err
	}
	signed, err := signedFinals(log, files)
	n := 0
	for _, m := range log.Roster.Who(log.Mode().Namespace(quorum.Approve)) {
		if signed[m.Name] != "" {
			n++
		}
	}
	return n >= log.Roster.M, err
}

// begin opens the next ceremony: first its number in the store, so that two
// consoles cannot both have it, then the bundle.
func (e *engine) begin(ctx context.Context, seq int, open Opening, lock store.Lock) error {
	facts, err := e.prepare(ctx, open, lock)
	if err != nil {
		return err
	}
	e.site.Seq = seq
	dir := filepath.Join(e.site.Bundles, fmt.Sprintf("%s-%04d-%s", time.Now().UTC().Format("2006-01-02T150405Z"), seq, e.kind))
	err = e.site.Store.OpenCeremony(ctx, store.Ceremony{Seq: seq, Kind: e.kind, Mode: string(e.site.Mode), Bundle: filepath.Base(dir)})
	if err != nil {
		return err
	}
	e.log, err = transcript.Create(dir, e.site.History.Final, fence{e.site.Store, seq}, time.Now)
	if err != nil {
		return err
	}
	return e.firstLine(ctx, facts)
}

// prepare decides on what the first line tells: a new ceremony's facts, and its chain.
func (e *engine) prepare(ctx context.Context, open Opening, lock store.Lock) (Facts, error) {
	facts, err := open(ctx, e.site, lock)
	if err == nil {
		err = e.room.Expect(e.kind, asked(e.define(facts)))
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
	facts["format"] = "kekceremony transcript v1"
	facts[transcript.FactChain] = string(e.site.Chain)
	facts[transcript.FactCeremony] = strconv.Itoa(e.site.Seq)
	facts[transcript.FactKind] = e.kind
	facts[transcript.FactMode] = string(e.site.Mode)
	facts["tool"] = e.site.Tool.Version
	facts["tool_sha256"] = e.site.Tool.SHA256
	facts["script_sha256"] = scriptSum(e.kind, e.site.Tool.Version, facts)
	facts["store"] = printable.Text(e.site.Store.Describe())
	for name, sum := range e.site.History.Files {
		facts["previous."+name] = sum
	}
	_, err := e.append(ctx, transcript.Opened, "", facts)
	return err
}

// asked lists the questions of steps.
func asked(steps []Step) (fields []Field) {
	for _, s := range steps {
		if s.Ask != nil {
			fields = append(fields, s.Ask.Fields...)
		}
	}
	return fields
}
