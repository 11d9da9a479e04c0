package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Rotation is what a command names of one.
type Rotation struct {
	To      kek.Version
	From    kek.Version // the active one; 0: it named none
	Exclude []string    // envelopes, by name
}

// Rotate moves everything to another version, and makes it if it is not there.
func Rotate(r Rotation) Ceremony {
	return Ceremony{
		Kind: transcript.KindRotate, Open: r.open, Matches: r.matches, Steps: rotateSteps, Binds: bind,
		Command: func(opened Facts) string {
			return rotateTo(opened.Version(transcript.FactTo).String())
		},
		Summary: func(f Facts, log transcript.Events) []string {
			return append([]string{
				"Version " + f[transcript.FactTo] + " is active. Every other version is retired: readable, not used to write.",
				rewrappedBy(log).String() + " 0 are at another version.",
			}, fenceSummary(f)...)
		},
		Next: func(f Facts) []engine.Next {
			if f[factNotThere] == "" {
				return nil
			}
			return []engine.Next{{Label: "Status", Command: "kekceremony status"}}
		},
	}
}

// matches refuses a command that names other versions or exclusions than those that the
// ceremony was opened with.
func (r Rotation) matches(opened Facts) error {
	from, to, excluded := opened.Version(transcript.FactFrom), opened.Version(transcript.FactTo),
		strings.Join(r.Exclude, "\n")
	switch {
	case r.From != 0 && from != r.From:
		return fmt.Errorf("from version %d, asked for %d", from, r.From)
	case r.To != 0 && to != r.To:
		return fmt.Errorf("to version %d, asked for %d", to, r.To)
	case excluded != "" && excluded != opened[transcript.FactExclude]:
		return errors.New("began with other exclusions")
	}
	return nil
}

func rotateSteps(f Facts) []Step {
	steps := []Step{chainRoster(), attend(false), place(), pin(), probe(false)}
	if f[transcript.FactGenerate] == "yes" {
		steps = append(steps, makeKey()...)
	}
	if f[transcript.FactPointer] != "" {
		steps = append(steps, askUnproven())
	}
	acts, set := []string{transcript.ActSwitch, transcript.ActRewrap, transcript.ActRetire}, []Step(nil)
	if f.Fences() {
		acts, set = slices.Insert(acts, 2, transcript.ActFence), []Step{fence()}
	}
	steps = append(steps, verifyFleet(), scan(), approve("approve", acts...), switchWriters(), acknowledge())
	if len(f.Compromised()) > 0 {
		steps = append(steps, exposedSince())
	}
	steps = append(steps, rewrapAll())
	return append(append(steps, set...), census(), retire(), leaving())
}

// open decides from which version to rotate to which, and whether the target must be made
// first.
func (r Rotation) open(ctx context.Context, s *Site, lock store.Lock) (Facts, error) {
	keks, active, err := installed(ctx, s, lock)
	if err != nil {
		return nil, err
	}
	if err := checkTheirs(ctx, s, nil, leftAt(s)...); err != nil {
		return nil, err
	}
	if r.From != 0 && r.From != active.Version {
		return nil, fmt.Errorf("rotate from version %d: version %d is active: %w", r.From, active.Version, ErrFrom)
	}
	if err := mayRotateTo(ctx, s, r.To); err != nil {
		return nil, fmt.Errorf("rotate to %w", err)
	}
	if r.To == active.Version {
		if err := somethingDue(ctx, s, keks, r.To); err != nil {
			return nil, err
		}
	}
	exists, err := exists(s, keks, r.To)
	if err == nil {
		err = unspent(ctx, s, r.To, 0)
	}
	if err != nil {
		return nil, err
	}
	fence, err := fencing(ctx, s)
	if err != nil {
		return nil, err
	}
	facts := Facts{transcript.FactFrom: active.Version.String(), transcript.FactTo: r.To.String(),
		transcript.FactGenerate: "no", transcript.FactFence: fence}
	if !exists {
		facts[transcript.FactGenerate] = "yes"
		err = makesBound(s, facts, active.Version)
	} else {
		err = bindable(s, r.To)
	}
	if err == nil {
		err = nameable(ctx, s, facts, r.Exclude)
	}
	if err != nil {
		return nil, err
	}
	if facts.Fences() {
		if err := noteStrict(ctx, s, facts); err != nil {
			return nil, err
		}
	}
	if adopted(s) {
		facts[transcript.FactPointer] = describe(s.Pointer)
	}
	if compromised := relisted(s); compromised != "" {
		facts[transcript.FactRelisted] = compromised
	}
	if len(r.Exclude) > 0 {
		facts[transcript.FactExclude] = strings.Join(r.Exclude, "\n")
	}
	return facts, nil
}

// somethingDue returns engine.ErrNothingDue when the active version is all there is. It
// is not after a rotation to it was aborted, or when a forgotten writer wrote
// with another one, or where the server lost its fence.
func somethingDue(ctx context.Context, s *Site, keks []store.KEK, to kek.Version) error {
	for _, k := range keks {
		if k.Version < to && k.State == store.Live {
			return nil
		}
	}
	fenced, err := s.Store.Fenced(ctx, s.Catalogue)
	if err != nil || len(s.History.Versions().Fence(fenced)) > 0 {
		return err
	}
	due, err := countDue(ctx, s, to, nil)
	if err == nil && due == 0 {
		err = fmt.Errorf("version %d is active: %w", to, engine.ErrNothingDue)
	}
	return err
}
