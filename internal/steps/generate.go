package steps

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// approve gathers M signatures over the joined plan of acts.
func approve(name string, acts ...string) Step {
	return Step{
		Name: name, Title: "Plan and approval",
		Why:    "These changes will be made, and no others, after the quorum approves them.",
		Gather: &Gather{Purpose: quorum.Approve, Acts: acts},
	}
}

// generate makes the key. One that is there before this act was begun was
// planted, whatever it looks like.
func generate() Step {
	return Step{
		Name: transcript.ActGenerate, Title: "Generate the key",
		Why: "The key is made inside the provider and read back.",
		Act: &Act{
			Fresh: true,
			Plan: func(s *Site, f Facts) []Effect {
				n := s.Name(f.Version(transcript.FactTo))
				return []Effect{{
					Verb:   "generate",
					Object: fmt.Sprintf("version %d, AES-256, label %s", n.Version, n.Label),
					Undo:   "destroy the key",
				}}
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				return keyState(ctx, s, f.Version(transcript.FactTo))
			},
			Do: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
				return nil, s.Provider.Generate(ctx, s.Name(f.Version(transcript.FactTo)))
			},
		},
	}
}

func keyState(ctx context.Context, s *Site, v kek.Version) (State, Facts, error) {
	n := s.Name(v)
	key, err := s.Provider.Find(ctx, n)
	if errors.Is(err, provider.ErrNoKey) {
		return NotBegun, nil, nil
	}
	if err != nil {
		return NotBegun, nil, err
	}
	if key.Doubt != nil {
		return NotBegun, nil, fmt.Errorf("%w: %w", ErrDoubtfulKey, key.Doubt)
	}
	facts := Facts{transcript.FactLabel: n.Label, "key_id": n.HexID()}
	for name, value := range key.Attributes {
		facts["key_"+name] = printable.Text(value)
	}
	return Done, facts, nil
}

// canary wraps a random value with the new key and enters the version in the
// store; install also makes it the active one.
func canary(first bool) Step {
	return Step{
		Name: transcript.ActCanary, Title: "Canary",
		Why: "A random value wrapped by the new key. Whoever unwraps it holds this very key.",
		Act: &Act{
			Fresh: true,
			Plan: func(_ *Site, f Facts) []Effect {
				object := "version " + f[transcript.FactTo] + " entered in the store as live"
				if first {
					object += " and active"
				}
				return []Effect{{Verb: "canary", Object: object, Undo: "none needed: nothing uses it yet"}}
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				return canaryState(ctx, s, f.Version(transcript.FactTo), first)
			},
			Do: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
				return nil, enter(ctx, s, f.Version(transcript.FactTo), first)
			},
		},
	}
}

func canaryState(ctx context.Context, s *Site, v kek.Version, first bool) (State, Facts, error) {
	k, err := findKEK(ctx, s, v)
	if errors.Is(err, store.ErrNotFound) {
		return NotBegun, nil, nil
	}
	if err != nil {
		return NotBegun, nil, err
	}
	n := s.Name(v)
	if k.Label != n.Label || k.ID != n.HexID() || k.Provider != s.ProviderName {
		return NotBegun, nil, fmt.Errorf("version %d names another key, %s: %w", v, printable.Text(k.Label),
			engine.ErrPlanted)
	}
	value, err := fleet.OpenCanary(ctx, s.Provider, n, k.Canary)
	if err != nil {
		return NotBegun, nil, otherCanary(err)
	}
	value.Wipe()
	facts := Facts{transcript.FactCanary(v): k.Canary.SHA256}
	if !first {
		return Done, facts, nil
	}
	_, err = s.Store.Active(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return Partly, nil, nil
	}
	return Done, facts, err
}

func findKEK(ctx context.Context, s *Site, v kek.Version) (store.KEK, error) {
	keks, err := s.Store.KEKs(ctx)
	if err != nil {
		return store.KEK{}, err
	}
	for _, k := range keks {
		if k.Version == v {
			return k, nil
		}
	}
	return store.KEK{}, fmt.Errorf("version %d: %w", v, store.ErrNotFound)
}

func enter(ctx context.Context, s *Site, v kek.Version, first bool) error {
	_, err := findKEK(ctx, s, v)
	if errors.Is(err, store.ErrNotFound) {
		err = insertKEK(ctx, s, v)
	}
	if err != nil || !first {
		return err
	}
	return s.Store.MoveActive(ctx, store.Active{}, store.Active{Version: v, Epoch: 1})
}

func insertKEK(ctx context.Context, s *Site, v kek.Version) error {
	n := s.Name(v)
	c, err := fleet.MakeCanary(ctx, s.Provider, n)
	if err != nil {
		return err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	return s.Store.InsertKEK(ctx, store.KEK{Version: v, Provider: s.ProviderName, State: store.Live, Label: n.Label,
		ID: n.HexID(), Canary: c, Ceremony: s.Seq, Created: now.Truncate(time.Second)})
}

// copies has people say where else the new key exists.
func copies() Step {
	return Step{
		Name: "copies", Title: "Copies of the key",
		Why: "A key that exists once is lost with its device.",
		Ask: &Form{Fields: []Field{{
			Name: "copies", Question: "Where else does the key exist?",
			Help:    "device serial, who, when; or: none",
			Example: "HSM 5b1f in safe B, bob, 2026-11-23",
			Check: func(_ *Site, answer string) (Facts, error) {
				return Facts{"copies": printable.Text(answer)}, nil
			},
			Propose: rehearsed("none"),
		}, {
			Name: "planned_end", Question: "Planned end of use for this key", Help: "YYYY-MM-DD", Example: "2028-12-31",
			Check: orNot("planned_end", func(_ *Site, answer string) error {
				if _, err := time.Parse(time.DateOnly, answer); err != nil {
					return errors.New("want YYYY-MM-DD")
				}
				return nil
			}),
			Propose: rehearsed(notSeen),
		}}},
	}
}
