package steps

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// scan counts what is to be done and refuses fields that the catalogue lacks.
func scan() Step {
	return Step{
		Name: "scan", Title: "Look for envelopes", EveryRun: true,
		Why: "Every field with envelopes must be in the catalogue. Other fields are not re-wrapped.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			if err := noStrangers(ctx, s); err != nil {
				return nil, err
			}
			if err := excludable(ctx, s, f); err != nil {
				return nil, err
			}
			if err := checkable(ctx, s, f.Version(transcript.FactTo), f.Excluded()); err != nil {
				return nil, err
			}
			return countFields(ctx, s, f.Version(transcript.FactTo))
		},
	}
}

// noStrangers refuses envelopes in fields that nobody named.
func noStrangers(ctx context.Context, s *Site) error {
	strangers, err := s.Store.Strangers(ctx, s.Catalogue)
	if err == nil && len(strangers) > 0 {
		err = fmt.Errorf("%s: %w", printable.Text(fmt.Sprint(strangers)), ErrStrangers)
	}
	return err
}

// excludable demands that every envelope to exclude is there and due: a
// name with a mistake in it would be approved for nothing.
func excludable(ctx context.Context, s *Site, f Facts) error {
	names := f.Excluded()
	if len(names) == 0 {
		return nil
	}
	_, met, err := rewrap.Census(ctx, s.Store, s.Catalogue, f.Version(transcript.FactTo), names)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.Contains(met, name) {
			return fmt.Errorf("exclude %s: %w", printable.Quote(name), ErrExclude)
		}
	}
	return nil
}

func countFields(ctx context.Context, s *Site, to kek.Version) (Facts, error) {
	counts, err := s.Store.Census(ctx, s.Catalogue)
	if err != nil {
		return nil, err
	}
	due := 0
	var fields printable.List
	for _, c := range counts {
		fields = append(fields, fmt.Sprintf("%s v%d %d", c.Place, c.Version, c.N))
		if c.Version != to {
			due += c.N
		}
	}
	return Facts{"places": fields.Text(), "due": strconv.Itoa(due)}, unspent(ctx, s, to, due)
}
