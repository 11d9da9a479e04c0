package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
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
		Summary: func(f Facts) []string {
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

// Refusals of an adoption, and of what follows on one.
var (
	ErrNotAdopted   = errors.New("the configuration has no section adopted")
	ErrAdopted      = errors.New("this database is for adopt, not for install")
	ErrTwoLocks     = errors.New("this database has a lock of ours under the plain name")
	ErrNothingThere = errors.New("no envelope is there to adopt")
	ErrNoVersion    = errors.New("envelopes at no version")
	ErrNoPointer    = errors.New("nobody described where the application has the version that its writers use")
	ErrTheirPointer = errors.New("the application's pointer was moved by no ceremony")
	ErrOtherPointer = errors.New("the configuration describes another pointer than the chain began with")
	ErrKeyMissing   = errors.New("envelopes are at it, or the pointer, and its key is not there")
	ErrMadeOutside  = errors.New("the key was not made on the token, or may have been outside it")
	ErrSample       = errors.New("not every envelope was opened")
)

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
	facts := Facts{transcript.FactRecords: s.Records, transcript.FactPointer: describe(s.Pointer)}
	if s.Pointer != nil {
		if _, err := s.Store.TheirActive(ctx, *s.Pointer); err != nil {
			return nil, err
		}
	}
	return facts, noStrangers(ctx, s)
}

// onlyLock refuses a database with two locks: one of them would be no longer obeyed.
func onlyLock(ctx context.Context, s *Site) error {
	plain, err := s.Store.PlainLock(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("chain %s: %w", printable.Text(string(plain.Chain)), ErrTwoLocks)
	}
	return err
}

// describe is a pointer as transcripts have it.
func describe(p *store.Pointer) string {
	if p == nil {
		return "none"
	}
	return p.String()
}

// bindAdopted adds to what every plan binds the keys that were found.
func bindAdopted(ctx context.Context, s *Site, f Facts, acts []string) ([]Detail, error) {
	lines, err := bind(ctx, s, f, acts)
	lines = append(lines, Detail{Name: transcript.FactRecords, Value: f[transcript.FactRecords]},
		Detail{Name: transcript.FactPointer, Value: f[transcript.FactPointer]})
	for _, d := range s.Deviations { // of the survey
		what := d[transcript.FactWhat]
		if what == whatSample || strings.HasPrefix(what, whatKey) {
			lines = append(lines, Detail{Name: "deviation",
				Value: fmt.Sprintf("%s: was %s, is %s", what, d[transcript.FactExpected], d[transcript.FactSeen])})
		}
	}
	for _, v := range found(f) {
		lines = append(lines, Detail{Name: "key", Value: v.String() + " id " + f[factFoundKey(v)]})
	}
	return lines, err
}

// Facts of the survey.
const (
	factFound  = "versions"  // that envelopes are at, or the pointer, parted by spaces
	factOpened = "unwrapped" // how many envelopes
)

// factFoundKey is id and label of the key of a version that was found.
func factFoundKey(v kek.Version) string { return whatKey + v.String() }

// The names of deviations. A version's number follows the second.
const (
	whatSample = "sample"
	whatKey    = "key_of_"
)

// found are the versions that the survey found.
func found(f Facts) (all []kek.Version) {
	for text := range strings.FieldsSeq(f[factFound]) {
		if v, err := kek.ParseVersion(text); err == nil {
			all = append(all, v)
		}
	}
	return all
}
