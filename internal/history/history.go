// Package history reads the ceremonies that a store holds, and believes them as far as
// they are signed. It runs none.
package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Errors of a history.
var (
	ErrHistory = errors.New("the store's ceremonies do not form one chain")
)

// History is the closed ceremonies of a store, each rebuilt from it and verified, and
// all of them as one chain.
type History struct {
	Logs  []transcript.State
	Final string            // digest of the last final.txt, or NoDigest
	Files map[string]string // digests of the finals of the last ceremony, by file
	// Founding is the digest of the first final.txt.
	Founding string
	Counters quorum.Counters // of authenticators
	// WithoutFinal attended the last ceremony, and no final of theirs is there.
	WithoutFinal []string
	// Disagreed is transcript.ErrDisagreed of the last ceremony; nil: enough agree with its end.
	Disagreed error

	first string // digest of the first roster
}

// Read rebuilds the bundles of the closed ceremonies and verifies each, and
// that they follow from each other: anyone who can write to the store can write logs.
func Read(ctx context.Context, log store.Log, closed []store.Ceremony) (History, error) {
	h := History{Final: transcript.NoDigest, Counters: quorum.Counters{}}
	var reports []transcript.Report
	for i, c := range closed {
		if c.Seq != i+1 {
			return h, fmt.Errorf("ceremony %d follows %d: %w", c.Seq, i, ErrHistory)
		}
		b, err := Rebuild(ctx, log, c)
		if err != nil && !transcript.IsBroken(err) {
			return h, err // of the store itself
		}
		var r transcript.Report
		if err == nil {
			r, err = b.Verify()
		}
		// M who have signed the end and disagree have ended it all the same.
		if err != nil && !(errors.Is(err, transcript.ErrIncomplete) && r.Signed() >= r.Roster.M) {
			return h, fmt.Errorf("ceremony %d: %w: %w", c.Seq, ErrHistory, err)
		}
		if opened := r.Opened(); opened[transcript.FactMode] != c.Mode || opened[transcript.FactKind] != c.Kind {
			return h, fmt.Errorf("ceremony %d: its first line has another mode or kind: %w", c.Seq, ErrHistory)
		}
		if r.FinalSum != c.Final {
			return h, fmt.Errorf("ceremony %d: another final digest: %w", c.Seq, ErrHistory)
		}
		reports = append(reports, r)
		h.Logs, h.Final, h.Files = append(h.Logs, r.State), c.Final, r.FinalFiles()
		h.WithoutFinal, h.Disagreed = r.WithoutFinal(), nil
		if errors.Is(err, transcript.ErrDisagreed) {
			h.Disagreed = err
		}
		maps.Copy(h.Counters, r.Counters())
	}
	if len(reports) == 0 {
		return h, nil
	}
	if err := transcript.VerifyChain(reports); err != nil {
		return h, fmt.Errorf("%w: %w", ErrHistory, err)
	}
	h.Founding, h.first = reports[0].FinalSum, reports[0].Roster.Digest()
	return h, nil
}

// Pinned compares the history with what the lock and the configuration pin: founding is
// the first final digest, or empty.
func (h History) Pinned(lock store.Lock, founding string) error {
	switch {
	case len(h.Logs) == 0:
		return nil
	case lock.Chain != "" && (h.first != lock.Roster || h.Logs[0].Opened()[transcript.FactChain] != string(lock.Chain)):
		return fmt.Errorf("the lock is of another chain or founding roster: %w", ErrHistory)
	case founding != "" && h.Founding != founding:
		return fmt.Errorf("founding: configured %s, the first ceremony's final digest is %s: %w",
			printable.Text(founding), h.Founding, store.ErrLockDiffers)
	}
	return nil
}

// RolledBack finds a bundle of a ceremony that the store does not know: somebody put an
// older store in its place, or deleted from it: ErrWentBack.
func RolledBack(dir string, all []store.Ceremony) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range list {
		known := slices.ContainsFunc(all, func(c store.Ceremony) bool { return c.Bundle == d.Name() })
		if BundleName.MatchString(d.Name()) && !known && transcript.HasLine(filepath.Join(dir, d.Name())) {
			return fmt.Errorf("bundle %s: the store does not know its ceremony: %w", printable.Text(d.Name()),
				transcript.ErrWentBack)
		}
	}
	return nil
}

// Last is what the closed ceremonies left behind: of each fact the last value.
func (h History) Last() transcript.Facts {
	facts := transcript.Facts{}
	for _, log := range h.Logs {
		maps.Copy(facts, log.Facts)
	}
	return facts
}

// Approved is what those left behind that were not aborted: of what an aborted one saw,
// nobody may have approved anything.
func (h History) Approved() transcript.Facts {
	return History{Logs: slices.DeleteFunc(slices.Clone(h.Logs), transcript.State.Aborted)}.Last()
}

// Roster is the one that the last ceremony left behind: the founding one, or the one
// that a roster ceremony put in its place.
func (h History) Roster(mode quorum.Mode, lock store.Lock) (quorum.Roster, error) {
	want, text := lock.Roster, ""
	for _, log := range h.Logs {
		if have := log.Roster.Digest(); have != want {
			return quorum.Roster{}, fmt.Errorf("ceremony %s: roster %s is not the chain's, %s: %w",
				log.Facts[transcript.FactCeremony], have, want, ErrHistory)
		}
		text = log.Facts[transcript.FactRoster]
		if next := log.Changed(); next != "" {
			want, text = next, log.Facts[transcript.FactNextRoster]
		}
	}
	r, err := quorum.ParseRoster([]byte(text), mode)
	if err == nil && r.Digest() != want {
		err = fmt.Errorf("roster %s is not the chain's, %s: %w", r.Digest(), want, ErrHistory)
	}
	return r, err
}

// Canaries are the digests that ceremonies wrote down for a version, the last one last.
func (h History) Canaries(v kek.Version) (all []string) {
	for _, log := range h.Logs {
		if s, found := log.Facts.Canary(v); found {
			all = append(all, s)
		}
	}
	return all
}

// Canary is the digest that the ceremony which made a version wrote down. That
// one is believed, not the store's.
func (h History) Canary(v kek.Version) (sha256 string, ok bool) {
	all := h.Canaries(v)
	if len(all) == 0 {
		return "", false
	}
	return all[len(all)-1], true
}
