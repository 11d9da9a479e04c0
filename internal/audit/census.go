package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Census is what a store's envelopes are at, beside what ceremonies left.
type Census struct {
	Active   kek.Version `json:"active"`             // that writers use since the last ceremony
	Due      int         `json:"due"`                // envelopes at another version
	Excluded int         `json:"excluded,omitempty"` // as well, but people agreed in the last rotation that they may stay
}

func (c Census) String() string {
	text := fmt.Sprintf("%d envelopes at another version than %d", c.Due, c.Active)
	if c.Excluded > 0 {
		text += fmt.Sprintf(", without %d excluded", c.Excluded)
	}
	return text
}

// CensusOf counts the envelopes of a catalogue. The logs are those of a chain, in order.
func CensusOf(
	ctx context.Context, s store.Envelopes, cat envelope.Catalogue, logs []transcript.State,
) (c Census, err error) {
	c.Active = history.VersionsOf(logs).Active
	var met []string
	c.Due, met, err = rewrap.Census(ctx, s, cat, c.Active, excluded(logs))
	c.Excluded = len(met)
	return c, err
}

// Behind is how a store is otherwise than the last ceremony left it.
type Behind struct {
	Differences []history.Difference
	Fence       []history.Difference // of what the server refuses to write with
	Census      Census
}

// LeftBehind compares a store with its history.
func LeftBehind(ctx context.Context, s store.Store, cat envelope.Catalogue, h history.History) (b Behind, err error) {
	keks, err := s.KEKs(ctx)
	if err != nil {
		return b, err
	}
	active, err := s.Active(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) { // a pointer that is gone differs
		return b, err
	}
	fenced, err := s.Fenced(ctx, cat)
	if err != nil {
		return b, err
	}
	b.Differences, b.Fence = h.Versions().Differences(keks, active), h.Versions().Fence(fenced)
	b.Census, err = CensusOf(ctx, s, cat, h.Logs)
	return b, err
}

// excluded are the envelopes that the last rotation that was done may have left, by name.
func excluded(logs []transcript.State) (names []string) {
	for _, log := range logs {
		if log.Facts[transcript.FactKind] == transcript.KindRotate && log.Outcome == transcript.OutcomeDone {
			names = log.Facts.Excluded()
		}
	}
	return names
}
