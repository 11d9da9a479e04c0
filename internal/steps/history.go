package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// History is the closed ceremonies of a store, as their events in the store
// tell it, each line checked against the digests the next one relies on.
type History struct {
	Logs  []transcript.Events
	Final string        // digest of the last final.txt, or NoDigest
	Files []finalDigest // the finals of the last ceremony
}

type finalDigest struct{ Name, SHA256 string }

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

// readHistory reads the logs of the closed ceremonies and checks that they
// follow from each other.
func readHistory(ctx context.Context, log store.Log, closed []store.Ceremony) (History, error) {
	h := History{Final: transcript.NoDigest}
	for i, c := range closed {
		if c.Seq != i+1 {
			return h, fmt.Errorf("ceremony %d follows %d: %w", c.Seq, i, ErrHistory)
		}
		events, files, err := readCeremony(ctx, log, c.Seq)
		if err != nil {
			return h, err
		}
		h.Files = h.Files[:0]
		for _, name := range slices.Sorted(maps.Keys(files)) {
			h.Files = append(h.Files, finalDigest{name, transcript.Digest(files[name])})
		}
		core, err := events.Core()
		if err != nil || transcript.Digest(core) != c.Final || events[0].Prev != h.Final {
			return h, fmt.Errorf("ceremony %d: final digest or prev differs: %w", c.Seq, ErrHistory)
		}
		h.Logs, h.Final = append(h.Logs, events), c.Final
	}
	return h, nil
}

// readCeremony reads one ceremony from the store: its log, each line checked
// against the one before, and its finals by file name.
func readCeremony(ctx context.Context, log store.Log, seq int) (transcript.Events, map[string][]byte, error) {
	entries, err := fence{log, seq}.Entries(ctx)
	if err != nil {
		return nil, nil, err
	}
	var data []byte
	files := map[string][]byte{}
	for _, e := range entries {
		if _, isLine := transcript.ParseEntryName(e.Name); isLine {
			data = append(data, e.Data...)
		} else {
			files[e.Name] = e.Data
		}
	}
	events, err := transcript.ParseLog(data)
	if err != nil {
		return nil, nil, fmt.Errorf("ceremony %d: %w: %w", seq, ErrHistory, err)
	}
	return events, files, nil
}

// Last is what the closed ceremonies left behind: of each fact the last value. One
// that was given up may not have come to every fact.
func (h History) Last() Facts {
	facts := Facts{}
	for _, events := range h.Logs {
		maps.Copy(facts, events.Fold())
	}
	return facts
}

// Roster is the one that the last ceremony left behind: the founding one, or the one
// that a roster ceremony put in its place.
func (h History) Roster(mode quorum.Mode, lock store.Lock) (quorum.Roster, error) {
	want, text := lock.Roster, ""
	for _, events := range h.Logs {
		facts := events.Fold()
		if have := facts[factRosterSum]; have != want {
			return quorum.Roster{}, fmt.Errorf("ceremony %s: roster %s is not the chain's, %s: %w", facts[transcript.FactCeremony], have, want, ErrHistory)
		}
		text = facts[factRoster]
		if next := events.Change(); next != "" {
			want, text = next, facts[transcript.FactNextRoster]
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
	for _, events := range h.Logs {
		if s, found := events.Fold()[factCanary(v)]; found {
			sha256, ok = s, true
		}
	}
	return sha256, ok
}
