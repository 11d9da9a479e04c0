// Package audit compares what transcripts record with a store and a provider. It runs no
// ceremony.
package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Store compares verified bundles with the store: each with the events there, and
// the lock and the versions with what the transcripts record. Of a whole chain, in
// order, there is a bundle for every ceremony, and everything in the store follows
// from them. It returns a *transcript.RuleError for the first difference.
func Store(ctx context.Context, s store.Store, reports []transcript.Report, whole bool) error {
	all, err := s.Ceremonies(ctx)
	if err != nil {
		return err
	}
	if n := len(all); whole && n > len(reports) {
		return differs(fmt.Errorf("it has %d ceremonies, but there are bundles of %d: %w", n, len(reports), errDiffers))
	}
	for _, r := range reports {
		if err := auditBundle(ctx, s, all, r); err != nil {
			return differs(fmt.Errorf("%s: %w", printable.Text(r.Bundle.Name), err))
		}
	}
	want := expect(reports)
	if err := want.sameLock(ctx, s, whole); err != nil {
		return differs(err)
	}
	return differs(want.sameVersions(ctx, s, whole))
}

// differs marks a difference; an error of the store itself stays one.
func differs(err error) error {
	if errors.Is(err, errDiffers) {
		return &transcript.RuleError{Rule: transcript.RuleStore, Err: err}
	}
	return err
}

var errDiffers = errors.New("the store differs")

func auditBundle(ctx context.Context, s store.Store, all []store.Ceremony, r transcript.Report) error {
	opened := r.Opened()
	i := slices.IndexFunc(all,
		func(c store.Ceremony) bool { return strconv.Itoa(c.Seq) == opened[transcript.FactCeremony] })
	if i < 0 {
		return fmt.Errorf("ceremony %s is not there: %w", printable.Text(opened[transcript.FactCeremony]), errDiffers)
	}
	c := all[i]
	stored, err := history.Rebuild(ctx, s, c)
	if err != nil {
		return err
	}
	if name := r.Bundle.Differs(stored); name != "" {
		return fmt.Errorf("%s: %w", printable.Text(name), errDiffers)
	}
	if r.Outcome != "" && c.Outcome == "" {
		return fmt.Errorf("it is closed, and the store does not know it yet: %w: %w", errDiffers, transcript.ErrIncomplete)
	}
	want, err := history.Recorded(r)
	if err != nil {
		return err
	}
	if c != want {
		return fmt.Errorf("kind, mode, outcome, head or final digest of ceremony %d: %w", c.Seq, errDiffers)
	}
	return nil
}

// wantStore is what a store must hold, as far as transcripts record it.
type wantStore struct {
	history.Versions
	chain   kek.Chain
	install bool         // its bundle is among them
	open    bool         // the last ceremony: what it changed is not recorded yet
	bundles map[int]bool // ceremonies that are known
}

// expect folds what the ceremonies did. Reports are in order.
func expect(reports []transcript.Report) wantStore {
	t := wantStore{bundles: map[int]bool{}}
	var logs []transcript.State
	for _, r := range reports {
		facts := r.Facts
		seq, _ := strconv.Atoi(facts[transcript.FactCeremony])
		t.bundles[seq] = true
		t.chain = kek.Chain(facts[transcript.FactChain])
		t.open = r.Outcome == ""
		t.install = t.install || transcript.Founds(facts[transcript.FactKind])
		logs = append(logs, r.State)
	}
	t.Versions = history.VersionsOf(logs)
	return t
}

func (t wantStore) sameLock(ctx context.Context, s store.Store, whole bool) error {
	lock, err := s.Lock(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	switch {
	case lock.Chain != "" && lock.Chain != t.chain:
		return fmt.Errorf("the lock is of chain %s: %w", printable.Text(string(lock.Chain)), errDiffers)
	case t.open && len(t.bundles) == 1:
		return nil // an install that continues: its last act may be ahead of its log
	case t.install && lock.Roster != t.Lock.Roster:
		return fmt.Errorf("the lock names founding roster %s: %w", printable.Text(lock.Roster), errDiffers)
	case (whole || t.install) && lock != t.Lock:
		return fmt.Errorf("the lock's provider or ceremony: %w", errDiffers)
	}
	return nil
}

// versions compares what the known ceremonies made; of a whole chain, everything. While
// the last ceremony is open, states and the pointer may be ahead of its log.
func (t wantStore) sameVersions(ctx context.Context, s store.Store, whole bool) error {
	keks, err := s.KEKs(ctx)
	if err != nil {
		return err
	}
	seen := map[kek.Version]bool{}
	for _, k := range keks {
		want, made := t.Made[k.Version]
		seen[k.Version] = true
		switch {
		case !made && (whole && !t.open || t.bundles[k.Ceremony] && !t.open):
			return fmt.Errorf("version %d: no ceremony generated it: %w", k.Version, errDiffers)
		case !made:
			continue
		case k.Canary.SHA256 != want.Canary.SHA256:
			return fmt.Errorf("version %d has another canary: %w", k.Version, errDiffers)
		case k.Label != want.Label || k.ID != want.ID || k.Provider != want.Provider || k.Ceremony != want.Ceremony:
			return fmt.Errorf("version %d: label, id, provider or ceremony: %w", k.Version, errDiffers)
		case k.Bound != want.Bound:
			return fmt.Errorf("version %d: whether it is bound: %w", k.Version, errDiffers)
		}
	}
	for v := range t.Made {
		if !seen[v] {
			return fmt.Errorf("version %d is not there: %w", v, errDiffers)
		}
	}
	active, err := s.Active(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if all := t.Differences(keks, active); whole && !t.open && len(all) > 0 {
		return fmt.Errorf("%w: %w", all[0], errDiffers)
	}
	return nil
}

// Provider compares what a provider says of itself, without a login, with the
// newest of the ceremonies that recorded it and were not aborted.
func Provider(ctx context.Context, k provider.Kind, p provider.Provider, reports []transcript.Report) error {
	about, err := p.Describe(ctx)
	if err != nil {
		return err
	}
	var h history.History
	for _, r := range reports {
		h.Logs = append(h.Logs, r.State)
	}
	last := h.Approved()
	for _, name := range provider.Stable(k) {
		if now, was := about[name], last[name]; now != "" && was != "" && now != was {
			err := fmt.Errorf("%s is %s, and was %s", name, printable.Text(now), printable.Text(was))
			return &transcript.RuleError{Rule: transcript.RuleToken, Err: err}
		}
	}
	return nil
}
