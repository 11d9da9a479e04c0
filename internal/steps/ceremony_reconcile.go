package steps

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Reconcile gives a store that went back to an older copy what its bundles have: ceremonies and
// versions. It runs over a history.Merged, and changes neither pointer, states nor envelopes:
// where they stand now is the chain's state from then on, and a rotation moves them, through
// its gate.
func Reconcile() Ceremony {
	return Ceremony{
		Kind: transcript.KindReconcile, Open: openReconcile, Steps: reconcileSteps, Binds: bind,
		Command: func(Facts) string { return "kekceremony reconcile" },
		Summary: func(f Facts, _ transcript.Events) []string {
			active := f[transcript.FactActive]
			lines := []string{
				"The store has every ceremony that the bundles have. Version " + active + " is active.",
				printable.Counted(f[factDue]) + " envelopes are at another version.",
			}
			if was := f[factWasActive]; was != active {
				lines = append(lines, "Version "+was+" was active before the store went back. Next: rotate to it.")
			}
			return lines
		},
		Next: func(f Facts) []engine.Next {
			if was := f[factWasActive]; was != f[transcript.FactActive] {
				return []engine.Next{{Label: "Next", Command: rotateTo(was)}}
			}
			return nil
		},
	}
}

// Facts of a reconciliation, of the found line of its histories.
const (
	factLacking   = "lacking"
	factStands    = "stands"
	factBundles   = "bundles_sha256"
	factWasActive = "was_active"
	factDue       = "due" // of the count
)

func reconcileSteps(f Facts) []Step {
	steps := []Step{chainRoster(), attend(false), place(), compareHistories(), askCause(), pin(), probe(false)}
	acts := []string{transcript.ActTakeOver}
	if f[transcript.FactRebuild] != "" {
		acts = []string{transcript.ActRebuild, transcript.ActTakeOver}
		steps = append(steps, approve("approve", acts...), rebuild())
	} else {
		steps = append(steps, approve("approve", acts...))
	}
	return append(steps, takeOver(), countAll(), leaving())
}

// Restored are the parts of a run over a store that went back, together with its bundles, and the
// ceremony that comes next there: the one that is not finished, or a reconciliation.
func Restored(ctx context.Context, parts engine.Parts) (engine.Parts, Ceremony, error) {
	m, err := history.Merge(ctx, parts.Store, parts.Bundles)
	if err != nil {
		return parts, Ceremony{}, err
	}
	c := Reconcile()
	if err := sameRecords(ctx, parts, m); err != nil {
		return parts, c, err
	}
	last, open, err := m.Unfinished(ctx)
	if err != nil {
		return parts, c, err
	}
	if own, ok := Named(last.Kind); open && ok {
		c = own
	}
	if open {
		parts.Restored, err = m.Lost(ctx, last.Seq)
	}
	parts.Store = m
	return parts, c, err
}

// ErrOtherRecords: what seems to be lost is under other names.
var ErrOtherRecords = errors.New("the chain began with other names of its records")

// sameRecords refuses to write a chain again under other names than it began with.
func sameRecords(ctx context.Context, parts engine.Parts, m *history.Merged) error {
	first, _, err := history.Fence{Log: m, Seq: 1}.State(ctx)
	if was := first.Opened()[transcript.FactRecords]; err == nil && first.Opened() != nil && was != parts.Records {
		err = fmt.Errorf("was prefix %s, is %s: %w", printable.Quote(was), printable.Quote(parts.Records), ErrOtherRecords)
	}
	return err
}

// errUnmerged cannot be: the command merges the store with its bundles.
var errUnmerged = errors.New("the store is not merged with its bundles")

// merged is the store as a reconciliation sees it.
func merged(s *Site) (*history.Merged, error) {
	m, ok := s.Store.(*history.Merged)
	if !ok {
		return nil, errUnmerged
	}
	return m, nil
}

// openReconcile refuses a store that lacks nothing, and one whose versions no ceremony made.
func openReconcile(ctx context.Context, s *Site, _ store.Lock) (Facts, error) {
	m, err := merged(s)
	if err != nil {
		return nil, err
	}
	if m.Versions.Lock.Chain == "" {
		return nil, ErrNotInstalled
	}
	lacking, err := m.Lacking(ctx)
	if err != nil {
		return nil, err
	}
	gone, err := lost(ctx, m)
	if err != nil {
		return nil, err
	}
	if len(lacking) == 0 && len(gone) == 0 {
		return nil, fmt.Errorf("the store lacks nothing that the bundles have: %w", engine.ErrNothingDue)
	}
	_, active, err := standing(ctx, m)
	facts := Facts{transcript.FactActive: active.String()}
	if len(gone) > 0 {
		facts[transcript.FactRebuild] = strings.Join(gone, " ")
	}
	return facts, err
}

// standing says where each version stands once those that are lost are there again, and which
// one is active.
func standing(ctx context.Context, m *history.Merged) (text string, active kek.Version, err error) {
	keks, err := m.KEKs(ctx)
	if err != nil {
		return "", 0, err
	}
	for _, k := range keks {
		if _, made := m.Versions.Made[k.Version]; !made {
			return "", 0, fmt.Errorf("version %d: no ceremony generated it: %w", k.Version, engine.ErrPlanted)
		}
	}
	pointer, err := m.Active(ctx)
	if errors.Is(err, store.ErrNotFound) {
		pointer, err = store.Active{Version: m.Versions.Active}, nil
	}
	if err != nil {
		return "", 0, err
	}
	text, err = m.Versions.Standing(keks, pointer.Version)
	return text, pointer.Version, err
}
