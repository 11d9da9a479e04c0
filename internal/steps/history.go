package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
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

	first string // digest of the first roster
}

// fence is the store's copy of one ceremony's log.
type fence struct {
	log store.Log
	seq int
}

func (f fence) Append(ctx context.Context, name string, data []byte) error {
	err := f.log.AppendEntry(ctx, store.Entry{Ceremony: f.seq, Name: name, Data: data})
	if errors.Is(err, store.ErrExists) {
		return fmt.Errorf("%w: entry %d/%s is taken", transcript.ErrFenced, f.seq, name)
	}
	return err
}

func (f fence) Entries(ctx context.Context) ([]transcript.Entry, error) {
	entries, err := f.log.Entries(ctx, f.seq)
	out := make([]transcript.Entry, len(entries))
	for i, e := range entries {
		out[i] = transcript.Entry{Name: e.Name, Data: e.Data}
	}
	return out, err
}

// readHistory rebuilds the bundles of the closed ceremonies and verifies each, and
// that they follow from each other: whoever can write to the store can write logs.
func readHistory(ctx context.Context, log store.Log, closed []store.Ceremony) (History, error) {
	h := History{Final: transcript.NoDigest, Counters: quorum.Counters{}}
	var reports []transcript.Report
	for i, c := range closed {
		if c.Seq != i+1 {
			return h, fmt.Errorf("ceremony %d follows %d: %w", c.Seq, i, ErrHistory)
		}
		b, err := rebuilt(ctx, log, c)
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
		if r.FinalSum != c.Final {
			return h, fmt.Errorf("ceremony %d: another final digest: %w", c.Seq, ErrHistory)
		}
		reports = append(reports, r)
		h.Logs, h.Final, h.Files = append(h.Logs, r.State), c.Final, r.FinalFiles()
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

// genuine compares the history with what the lock and the configuration pin.
func (h History) genuine(s *Site, lock store.Lock) error {
	switch {
	case len(h.Logs) == 0:
		return nil
	case lock.Chain != "" && (h.first != lock.Roster || h.Logs[0].Facts[transcript.FactChain] != string(lock.Chain)):
		return fmt.Errorf("the lock is of another chain or founding roster: %w", ErrHistory)
	case s.Founding != "" && h.Founding != s.Founding:
		return fmt.Errorf("founding: configured %s, the first ceremony's final digest is %s: %w", printable.Text(s.Founding), h.Founding, ErrLockDiffers)
	}
	return nil
}

// rolledBack finds a bundle of a ceremony that the store does not know: somebody put an
// older store in its place, or deleted from it.
func rolledBack(dir string, all []store.Ceremony) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range list {
		known := slices.ContainsFunc(all, func(c store.Ceremony) bool { return c.Bundle == d.Name() })
		if bundleName.MatchString(d.Name()) && !known {
			return fmt.Errorf("bundle %s: the store does not know its ceremony; where another store is founded, move the old bundles away: %w", printable.Text(d.Name()), ErrHistory)
		}
	}
	return nil
}

// readCeremony reads one ceremony from the store: its log, each line checked
// against the one before, and its finals by file name.
func readCeremony(ctx context.Context, log store.Log, seq int) (state transcript.State, finals map[string][]byte, err error) {
	entries, err := fence{log, seq}.Entries(ctx)
	if err != nil {
		return state, nil, err
	}
	var data []byte
	finals = map[string][]byte{}
	for _, e := range entries {
		if _, isLine := transcript.ParseEntryName(e.Name); isLine {
			data = append(data, e.Data...)
		} else {
			finals[e.Name] = e.Data
		}
	}
	events, err := transcript.ParseLog(data)
	if err == nil {
		state, err = transcript.StateOf(events)
	}
	if err != nil {
		err = fmt.Errorf("ceremony %d: %w: %w", seq, ErrHistory, err)
	}
	return state, finals, err
}

// Last is what the closed ceremonies left behind: of each fact the last value. One
// that was given up may not have come to every fact, and pins none: nobody may have
// approved what it saw.
func (h History) Last() Facts {
	facts := Facts{}
	for _, log := range h.Logs {
		these := maps.Clone(log.Facts)
		if log.Outcome == transcript.OutcomeAborted {
			for _, name := range pinned {
				delete(these, name)
			}
		}
		maps.Copy(facts, these)
	}
	return facts
}

// Roster is the one that the last ceremony left behind: the founding one, or the one
// that a roster ceremony put in its place.
func (h History) Roster(mode quorum.Mode, lock store.Lock) (quorum.Roster, error) {
	want, text := lock.Roster, ""
	for _, log := range h.Logs {
		if have := log.Roster.Digest(); have != want {
			return quorum.Roster{}, fmt.Errorf("ceremony %s: roster %s is not the chain's, %s: %w", log.Facts[transcript.FactCeremony], have, want, ErrHistory)
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

// Canary is the digest that the ceremony which made a version wrote down. That
// one is believed, not the store's.
func (h History) Canary(v kek.Version) (sha256 string, ok bool) {
	for _, log := range h.Logs {
		if s, found := log.Facts[transcript.FactCanary(v)]; found {
			sha256, ok = s, true
		}
	}
	return sha256, ok
}
