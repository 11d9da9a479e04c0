package steps

import (
	"context"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// lifting is what a plan says of a fence that stands before its target.
func lifting(f Facts) []Effect {
	switch {
	case f[transcript.FactFence] == "": // begun by a program that knew no fence
		return nil
	case !f.Fences():
		return unfenced(f, "a fence that is there is lifted")
	}
	var effects []Effect
	if f[transcript.FactGenerate] != "yes" { // nothing refuses what there never was
		effects = []Effect{{Verb: "lift", Object: "the server's fence for version " + f[transcript.FactTo] +
			", if there is one", Undo: "rotate again"}}
	}
	if strict := f[factStrict]; strict != "" {
		effects = append(effects, Effect{Verb: "lift", Undo: "rotate again", Object: "the server's fence for each version " +
			"that an envelope is at, until the re-wrap is done: validators are strict, in " + strict})
	}
	return effects
}

// factStrict are the collections in which a record with a refused version, such as an excluded one, takes no write:
// what else it has could not be re-wrapped.
const factStrict = "fence_strict"

// noteStrict adds them to the facts of a rotation with a fence.
func noteStrict(ctx context.Context, s *Site, facts Facts) error {
	all, err := s.Store.Fenced(ctx, s.Catalogue)
	var names printable.List
	for _, c := range all {
		if c.Strict {
			names = append(names, printable.Text(c.Collection))
		}
	}
	if len(names) > 0 {
		facts[factStrict] = names.Text()
	}
	return err
}

// lift has the server take the target before writers use it. What else is refused stays so, but where
// the ceremony is unfenced.
func lift(ctx context.Context, s *Site, f Facts) error {
	to := f.Version(transcript.FactTo)
	all, err := s.Store.Fenced(ctx, s.Catalogue)
	if err != nil {
		return err
	}
	lifted := map[kek.Version]bool{to: true}
	if f[factStrict] != "" {
		counts, err := s.Store.Census(ctx, s.Catalogue)
		if err != nil {
			return err
		}
		for _, c := range counts {
			lifted[c.Version] = true
		}
	}
	var stay []kek.Version
	for _, c := range all {
		for _, v := range c.Refused {
			if !lifted[v] && !f.Unfenced() && !slices.Contains(stay, v) {
				stay = append(stay, v)
			}
		}
	}
	if err := s.Store.Fence(ctx, s.Catalogue, stay); err != nil {
		return fmt.Errorf("lift the fence for version %d: %w", to, err)
	}
	return nil
}

// refused reports whether the server refuses what a rotation has it take: its target, and where the rotation is
// unfenced, anything.
func refused(ctx context.Context, s *Site, f Facts) (bool, error) {
	all, err := s.Store.Fenced(ctx, s.Catalogue)
	return slices.ContainsFunc(all, func(c store.Fenced) bool {
		return c.Refuses(f.Version(transcript.FactTo)) || f.Unfenced() && len(c.Refused) > 0
	}), err
}
