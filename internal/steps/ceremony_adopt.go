package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Adopt puts a chain over a database that an application made before there were ceremonies: the
// versions that its envelopes are at get a canary each, and the store a lock of ours beside what
// the application has. Sample is how many envelopes of each place are opened; 0: all.
func Adopt(sample int) Ceremony {
	return Ceremony{
		Kind: transcript.KindAdopt, Open: openAdopt, Steps: adoptSteps(sample), Binds: bindAdopted,
		Void: &engine.Void{Steps: giveUp, Made: madeByInstall}, Changed: changedInstall,
		Command: func(Facts) string { return "kekceremony adopt" },
		Summary: func(f Facts, _ transcript.Events) []string {
			lines := []string{"The store is locked to provider " + f[transcript.FactProvider] + "."}
			adopted := f.Adopted()
			for _, v := range slices.Sorted(maps.Keys(adopted)) {
				lines = append(lines, fmt.Sprintf("Version %d, made outside a ceremony, was adopted.", v))
			}
			return append(lines, "Version "+f[transcript.FactActive]+" is active.",
				"Next: rotate to a version that a ceremony generates.")
		},
	}
}

func adoptSteps(sample int) func(Facts) []Step {
	return func(Facts) []Step {
		return []Step{
			askRoster(),
			attend(true),
			place(),
			askProvider(),
			pin(),
			probe(false),
			survey(sample),
			copies(),
			approve("approve", transcript.ActAdopt, transcript.ActLock),
			adopt(),
			lock(),
			leaving(),
		}
	}
}

// ErrNotAdopted: nothing says what is to be adopted.
var ErrNotAdopted = errors.New("the configuration has no section adopted")

// ErrOccupied: our own records would be beside another's, which no scan would look at any more.
var ErrOccupied = errors.New("it is not empty, and would be ours")

// openAdopt refuses a store with a lock, versions or ceremonies of ours, under either name.
func openAdopt(ctx context.Context, s *Site, lock store.Lock) (Facts, error) {
	if s.Records == "" {
		return nil, ErrNotAdopted
	}
	if err := onlyLock(ctx, s); err != nil {
		return nil, err
	}
	if err := unused(ctx, s, lock); err != nil {
		return nil, err
	}
	if name, err := s.Store.Occupied(ctx); err != nil || name != "" {
		return nil, errors.Join(fmt.Errorf("%s has records: %w", printable.Text(name), ErrOccupied), err)
	}
	facts := Facts{transcript.FactRecords: s.Records, transcript.FactPointer: describe(s.Pointer)}
	if s.Pointer != nil {
		if _, err := s.Store.TheirActive(ctx, *s.Pointer); err != nil {
			return nil, err
		}
	}
	return facts, noStrangers(ctx, s)
}

// bindAdopted adds to what every plan binds the keys that were found.
func bindAdopted(ctx context.Context, s *Site, f Facts, acts []string) ([]Detail, error) {
	lines, err := bind(ctx, s, f, acts)
	lines = append(lines, Detail{Name: transcript.FactRecords, Value: f[transcript.FactRecords]},
		Detail{Name: transcript.FactPointer, Value: f[transcript.FactPointer]})
	if unused := f[factUnused]; unused != "" {
		lines = append(lines, Detail{Name: untested, Value: "of version " + unused + ": no envelope is at it"})
	}
	for _, v := range found(f) {
		lines = append(lines, Detail{Name: "key", Value: v.String() + " id " + f[factFoundKey(v)]})
	}
	return lines, err
}
