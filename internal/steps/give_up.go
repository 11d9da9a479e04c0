package steps

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// giveUp are the steps with which an install is given up: once anybody attended, M attend for
// it; once an act was begun, somebody logs in, to look whether it made a key.
func giveUp(log transcript.State) (all []Step) {
	if log.Came() {
		all = append(all, attend(false))
	}
	if len(log.HalfDone()) > 0 {
		all = append(all, sameProvider(pin(), log.Facts))
	}
	return append(all, askVoid())
}

// GivingUp are the questions that are asked when an install is given up.
func GivingUp() []Field { return askVoid().Ask.Fields }

// askVoid has the operator say who gives up, and why.
func askVoid() Step {
	return Step{
		Name: transcript.StepVoid, Title: "Give up this install",
		Why: "It made nothing yet. It is archived as void, outside every chain, and the next install begins a new chain.",
		Ask: &Form{Fields: []Field{
			typedField(transcript.FactOperator, "Who gives this install up?", "your name and role", "alice, operator"),
			typedField(transcript.FactReason, "Why?", "what was wrong with it", "the roster named a key that is lost"),
		}},
	}
}

// typedField is a question that every answer but an empty one is good for: somebody knows it.
func typedField(name, question, help, example string) Field {
	return Field{Name: name, Question: question, Help: help, Example: example,
		Check: func(_ *Site, answer string) (Facts, error) {
			if len(answer) < 2 {
				return nil, errors.New("one character is too short")
			}
			return Facts{name: printable.Text(answer)}, nil
		}}
}

// sameProvider has a login refuse another token than the install had: a key would be looked for
// in the wrong place.
func sameProvider(login Step, had Facts) Step {
	look := login.Look
	login.Look = func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
		about, err := look(ctx, s, f, d)
		if err != nil {
			return nil, err
		}
		for _, name := range provider.Stable(s.Kind) {
			if had[name] != "" && about[name] != "" && had[name] != about[name] {
				return nil, fmt.Errorf("%s was %s, is %s: %w", name, printable.Text(had[name]), printable.Text(about[name]),
					ErrOtherToken)
			}
		}
		return about, nil
	}
	return login
}

// madeByInstall refuses to give up an install that made anything: from then on only its own
// command continues it. Envelopes do not matter here, since giving up deletes nothing that could
// open one; the next install refuses a store that has any.
func madeByInstall(ctx context.Context, s *Site, log transcript.State) error {
	made := func(what string) error {
		return fmt.Errorf("ceremony %d, %s: %s: %w", s.Seq, log.Opened()[transcript.FactKind], what, engine.ErrNoAbort)
	}
	for _, act := range transcript.Required(log.Opened()) {
		if log.Done(act) {
			return made(act + " is done")
		}
	}
	if _, err := s.Store.Lock(ctx); !errors.Is(err, store.ErrNotFound) {
		return errors.Join(made("the store has a lock"), err)
	}
	keks, err := s.Store.KEKs(ctx)
	if err != nil {
		return err
	}
	if len(keks) > 0 {
		return made(fmt.Sprintf("the store has version %d", keks[0].Version))
	}
	if _, err := s.Store.Active(ctx); !errors.Is(err, store.ErrNotFound) {
		return errors.Join(made("the store has an active version"), err)
	}
	begun, to := log.HalfDone(), log.Opened().Version(transcript.FactTo)
	if len(begun) == 0 || to == 0 || s.Provider == nil { // it makes no key, or is not open yet, and looked at again
		return nil
	}
	n := s.Name(to)
	if _, err := s.Provider.Find(ctx, n); !errors.Is(err, provider.ErrNoKey) {
		return errors.Join(made(fmt.Sprintf("%s was begun, and the provider has key %s", strings.Join(begun, ", "), n.Label)),
			err)
	}
	return nil
}
