package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Rebuilt makes the bundle of every ceremony from the store alone.
func Rebuilt(ctx context.Context, s store.Store) ([]transcript.Bundle, error) {
	all, err := s.Ceremonies(ctx)
	if err != nil {
		return nil, err
	}
	var bundles []transcript.Bundle
	for _, c := range all {
		b, err := rebuilt(ctx, s, c)
		if err != nil {
			return nil, err
		}
		bundles = append(bundles, b)
	}
	return bundles, nil
}

func rebuilt(ctx context.Context, s store.Store, c store.Ceremony) (transcript.Bundle, error) {
	entries, err := fence{s, c.Seq}.Entries(ctx)
	if err != nil {
		return transcript.Bundle{}, err
	}
	b, err := transcript.Rebuild(c.Bundle, entries)
	if err != nil {
		return b, fmt.Errorf("ceremony %d in the store: %w", c.Seq, err)
	}
	return b, nil
}

// Audit compares verified bundles with the store: each with the events there, and
// the lock and the versions with what the transcripts tell. Of a whole chain there is
// a bundle for every ceremony of the store. It returns a *transcript.RuleError for the
// first difference.
func Audit(ctx context.Context, s store.Store, reports []transcript.Report, whole bool) error {
	all, err := s.Ceremonies(ctx)
	if err != nil {
		return err
	}
	if n := len(all); whole && n > len(reports) {
		return differs(fmt.Errorf("it has %d ceremonies, and there are bundles of %d: %w", n, len(reports), errDiffers))
	}
	for _, r := range reports {
		if err := auditBundle(ctx, s, all, r); err != nil {
			return differs(fmt.Errorf("%s: %w", printable.Text(r.Bundle.Name), err))
		}
	}
	if err := auditKeys(ctx, s, reports); err != nil {
		return differs(err)
	}
	return nil
}

// differs marks what the store tells otherwise; an error of the store itself stays one.
func differs(err error) error {
	if errors.Is(err, errDiffers) {
		return &transcript.RuleError{Rule: transcript.RuleStore, Err: err}
	}
	return err
}

var errDiffers = errors.New("the store tells otherwise")

func auditBundle(ctx context.Context, s store.Store, all []store.Ceremony, r transcript.Report) error {
	opened := r.Opened()
	i := slices.IndexFunc(all, func(c store.Ceremony) bool { return strconv.Itoa(c.Seq) == opened[transcript.FactCeremony] })
	if i < 0 {
		return fmt.Errorf("ceremony %s is not there: %w", printable.Text(opened[transcript.FactCeremony]), errDiffers)
	}
	c := all[i]
	stored, err := rebuilt(ctx, s, c)
	if err != nil {
		return err
	}
	if name := r.Bundle.Differs(stored); name != "" {
		return fmt.Errorf("%s: %w", printable.Text(name), errDiffers)
	}
	if c.Kind != opened[transcript.FactKind] || c.Mode != opened[transcript.FactMode] || c.Final != r.FinalSum {
		return fmt.Errorf("kind, mode or final digest of ceremony %d: %w", c.Seq, errDiffers)
	}
	return nil
}

// auditKeys compares lock and versions with the ceremonies that are known: a version
// of a ceremony whose bundle is not among them is not judged.
func auditKeys(ctx context.Context, s store.Store, reports []transcript.Report) error {
	lock, err := s.Lock(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	keks, err := s.KEKs(ctx)
	if err != nil {
		return err
	}
	for _, r := range reports {
		facts := r.Events.Fold()
		if facts[transcript.FactChain] != string(lock.Chain) && facts["locked"] != "" || lock.Chain != "" && facts[transcript.FactChain] != string(lock.Chain) {
			return fmt.Errorf("the lock is of chain %s: %w", printable.Text(string(lock.Chain)), errDiffers)
		}
		seq := facts[transcript.FactCeremony]
		if strconv.Itoa(lock.Ceremony) == seq && lock.Roster != r.Roster.Digest() {
			return fmt.Errorf("the lock names founding roster %s: %w", printable.Text(lock.Roster), errDiffers)
		}
		for _, k := range keks {
			if strconv.Itoa(k.Ceremony) == seq && facts[factCanary(k.Version)] != k.Canary.SHA256 {
				return fmt.Errorf("version %d has another canary: %w", k.Version, errDiffers)
			}
		}
	}
	return nil
}

// AuditProvider compares what a provider says of itself, without a login, with the
// newest of the ceremonies that told it.
func AuditProvider(ctx context.Context, s *Site, reports []transcript.Report) error {
	p, err := s.OpenProvider()
	if err != nil {
		return err
	}
	defer p.Close()
	about, err := p.Describe(ctx)
	if err != nil {
		return err
	}
	last := Facts{}
	for _, r := range reports {
		for name, value := range r.Events.Fold() {
			last[name] = value
		}
	}
	for _, name := range pinned {
		if now, told := about[name], last[name]; now != "" && told != "" && now != told {
			return &transcript.RuleError{Rule: transcript.RuleToken, Err: fmt.Errorf("%s is %s, and was %s", name, printable.Text(now), printable.Text(told))}
		}
	}
	return nil
}
