package steps

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Disable takes a version out of use that no envelope is at: processes drop its key, and refuse to
// open with it. v is the version that the command names; 0: none.
func Disable(v kek.Version) Ceremony {
	return Ceremony{
		Kind: transcript.KindDisable, Open: openDisable(v), Matches: names(v), Steps: disableSteps, Binds: bindVersion,
		Command: onVersion("disable"),
		Summary: func(f Facts, _ transcript.Events) []string {
			v := f[transcript.FactVersion]
			return []string{
				"Version " + v + " is disabled: no process opens an envelope with it. Its key is still there.",
				"It may be destroyed " + transcript.Said(transcript.FactWait, f[transcript.FactWait]) +
					" after this ceremony, unless it is enabled.",
			}
		},
		Next: func(f Facts) []engine.Next {
			return []engine.Next{{Label: "To undo it", Command: onVersion("enable")(f)}}
		},
	}
}

// names refuses a command that names another version than the ceremony was opened with.
func names(v kek.Version) func(opened Facts) error {
	return func(opened Facts) error {
		if has := opened.Version(transcript.FactVersion); v != 0 && has != v {
			return fmt.Errorf("version %d, asked for %d", has, v)
		}
		return nil
	}
}

func disableSteps(f Facts) []Step {
	acts, set := []string{transcript.ActDisable}, []Step(nil)
	if f.Fences() {
		acts, set = []string{transcript.ActFence, transcript.ActDisable}, []Step{fence()}
	}
	steps := []Step{
		chainRoster(),
		attend(false),
		place(),
		terms(),
		pin(),
		probe(false),
		without(),
		unneeded(),
		approve("approve", acts...),
	}
	return append(append(steps, set...), disable(), dropped(), recount(), leaving())
}

// openDisable refuses a version that is not on its way out, and one that envelopes need.
func openDisable(v kek.Version) func(context.Context, *Site, store.Lock) (Facts, error) {
	return func(ctx context.Context, s *Site, lock store.Lock) (Facts, error) {
		facts, k, err := openVersion(ctx, s, lock, v)
		if err != nil {
			return nil, err
		}
		_, settled := s.History.Disabled(v)
		switch {
		case facts.Version(transcript.FactActive) == v:
			return nil, fmt.Errorf("version %d: %w", v, ErrActive)
		case k.State == store.Disabled && settled:
			return nil, fmt.Errorf("version %d is disabled: %w", v, engine.ErrNothingDue)
		case k.State != store.Retired && k.State != store.Compromised && k.State != store.Disabled:
			return nil, fmt.Errorf("version %d is %s: %w", v, k.State, ErrNotRetired)
		}
		if err := clocks(ctx, s); err != nil { // the waiting period begins at this ceremony's last line
			return nil, err
		}
		if facts[transcript.FactFence], err = fencing(ctx, s); err != nil {
			return nil, err
		}
		return facts, needed(ctx, s, v)
	}
}

// openVersion reads what a ceremony on one version starts from. It refuses a version that is not there, one that no
// ceremony made, and one whose destruction was begun.
func openVersion(ctx context.Context, s *Site, lock store.Lock, v kek.Version) (Facts, store.KEK, error) {
	keks, active, err := installed(ctx, s, lock)
	if err != nil {
		return nil, store.KEK{}, err
	}
	k, err := findKEK(ctx, s, v)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrNoSuchVersion, err)
	}
	if err == nil {
		_, err = exists(s, keks, v)
	}
	if err != nil {
		return nil, k, err
	}
	state := s.History.Versions().Made[v].State
	if k.State == store.Destroyed {
		state = k.State
	}
	if state.Doomed() { // a row that says that it was begun proves nothing: the probe compares it
		return nil, k, fmt.Errorf("version %d is %s: %w", v, state, neverAgain(state))
	}
	facts := Facts{transcript.FactVersion: v.String(), transcript.FactActive: active.Version.String(),
		transcript.FactEpoch: strconv.Itoa(active.Epoch)}
	if adopted(s) {
		facts[transcript.FactPointer] = describe(s.Pointer)
	}
	return facts, k, checkTheirs(ctx, s, facts)
}
