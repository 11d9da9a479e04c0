package history

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Archive moves an install that was given up out of the store's ceremonies, by its verified
// bundle: first what the store lacks of it, then its copy, and only then nothing is left where
// the next install begins. It may end between any two writes, and is done again. ErrFork: the
// store has something else.
func Archive(ctx context.Context, s store.Store, r transcript.Report) error {
	v, err := VoidOf(r)
	if err != nil {
		return err
	}
	switch there, found, err := copied(ctx, s, v.Chain); {
	case err != nil:
		return err
	case found && !reflect.DeepEqual(there, v):
		return fmt.Errorf("kek_void has another install of chain %s: %w", v.Chain, ErrFork)
	case found:
		return s.DeleteVoid(ctx, v.Chain)
	}
	if err := settle(ctx, s, v); err != nil {
		return err
	}
	if err := s.InsertVoid(ctx, v); err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	if there, _, err := copied(ctx, s, v.Chain); err != nil || !reflect.DeepEqual(there, v) { // another console's
		return errors.Join(fmt.Errorf("kek_void has another install of chain %s: %w", v.Chain, ErrFork), err)
	}
	return s.DeleteVoid(ctx, v.Chain)
}

// VoidOf is an install that was given up as a store archives it, by its verified bundle.
func VoidOf(r transcript.Report) (store.Void, error) {
	c, err := Recorded(r)
	if err != nil {
		return store.Void{}, err
	}
	c.Bundle, _ = transcript.UnvoidName(r.Bundle.Name)
	if r.FinalSum == "" { // nobody attended
		c.Final = ""
	}
	v := store.Void{Chain: kek.Chain(r.Opened()[transcript.FactChain]), Ceremony: c}
	for _, e := range r.Bundle.Entries() {
		v.Entries = append(v.Entries, store.Entry{Ceremony: c.Seq, Name: e.Name, Data: e.Data})
	}
	return v, nil
}

func copied(ctx context.Context, s store.Log, chain kek.Chain) (store.Void, bool, error) {
	all, err := s.Voids(ctx)
	if i := slices.IndexFunc(all, func(v store.Void) bool { return v.Chain == chain }); i >= 0 {
		return all[i], true, err
	}
	return store.Void{}, false, err
}

// settle has the store hold exactly what is given up, closed.
func settle(ctx context.Context, s store.Log, v store.Void) error {
	stored, err := s.Entries(ctx, v.Ceremony.Seq)
	if err != nil {
		return err
	}
	for _, e := range stored {
		if !slices.ContainsFunc(v.Entries, func(own store.Entry) bool { return reflect.DeepEqual(own, e) }) {
			return fmt.Errorf("ceremony %d: %s is another one in the store: %w", e.Ceremony, printable.Text(e.Name), ErrFork)
		}
	}
	for _, e := range v.Entries {
		if slices.ContainsFunc(stored, func(there store.Entry) bool { return there.Name == e.Name }) {
			continue
		}
		if err := s.AppendEntry(ctx, e); err != nil {
			return err
		}
	}
	return s.CloseCeremony(ctx, v.Ceremony)
}

// ArchivedAs finds the archived copy of a ceremony of the store that was closed as void, and
// verifies it: the archive was interrupted after its copy.
func ArchivedAs(ctx context.Context, s store.Log, c store.Ceremony) (transcript.Report, bool, error) {
	all, err := s.Voids(ctx)
	i := slices.IndexFunc(all, func(v store.Void) bool { return v.Ceremony == c })
	if err != nil || i < 0 || c.Outcome != transcript.OutcomeVoid {
		return transcript.Report{}, false, err
	}
	b, err := RebuildVoid(all[i])
	if err != nil {
		return transcript.Report{}, true, err
	}
	r, err := b.Verify()
	return r, true, err
}

// RebuiltVoids makes the bundle of every install that was given up from the store alone.
func RebuiltVoids(ctx context.Context, s store.Log) (bundles []transcript.Bundle, err error) {
	all, err := s.Voids(ctx)
	for _, v := range all {
		b, err := RebuildVoid(v)
		if err != nil {
			return nil, err
		}
		bundles = append(bundles, b)
	}
	return bundles, err
}

// RebuildVoid makes the bundle of an install that was given up from the store alone.
func RebuildVoid(v store.Void) (transcript.Bundle, error) {
	var entries []transcript.Entry
	for _, e := range v.Entries {
		entries = append(entries, transcript.Entry{Name: e.Name, Data: e.Data})
	}
	b, err := transcript.Rebuild(transcript.VoidName(v.Ceremony.Bundle), entries)
	if err != nil {
		err = fmt.Errorf("void of chain %s: %w", printable.Text(string(v.Chain)), err)
	}
	return b, err
}
