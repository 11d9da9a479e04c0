package history

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// ErrFork: of two histories neither is a beginning of the other.
var ErrFork = errors.New("the store and the bundles tell two histories")

// Merged is a store with the ceremonies that it has and those that bundles have, together: as
// it was before it went back to an older copy. It reads both; what is written goes to the
// store alone.
type Merged struct {
	store.Store
	Versions Versions // that the closed ceremonies made

	bundles map[int]kept
	whole   map[int]bool // what the store was given by this run
}

// kept is what a bundle has of a ceremony.
type kept struct {
	ceremony store.Ceremony
	entries  map[string][]byte
}

// Merge reads the bundles of a directory. It returns ErrFork where the store has anything else
// than they have, and ErrHistory unless all that is closed is one chain.
func Merge(ctx context.Context, s store.Store, dir string) (*Merged, error) {
	m := &Merged{Store: s, bundles: map[int]kept{}, whole: map[int]bool{}}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		if !BundleName.MatchString(d.Name()) {
			continue
		}
		if err := m.add(filepath.Join(dir, d.Name())); err != nil {
			return nil, fmt.Errorf("bundle %s: %w", printable.Text(d.Name()), err)
		}
	}
	if err := m.agree(ctx); err != nil {
		return nil, err
	}
	if err := m.leaveFinals(ctx); err != nil {
		return nil, err
	}
	all, err := m.Ceremonies(ctx)
	if err != nil {
		return nil, err
	}
	closed, err := Closed(ctx, m, all)
	if err != nil {
		return nil, err
	}
	h, err := Read(ctx, m, closed)
	m.Versions = h.Versions()
	return m, err
}

// add reads one bundle: all of one that M have signed, of another its lines alone. Finals that are
// not enough are gathered by the ceremony's own command.
func (m *Merged) add(dir string) error {
	r, bad := transcript.Verify(dir)
	k := kept{entries: map[string][]byte{}}
	var entries []transcript.Entry
	var err error
	if signed := bad == nil || errors.Is(bad, transcript.ErrIncomplete) && r.Outcome != ""; signed &&
		r.Signed() >= r.Roster.M {
		k.ceremony, err = Recorded(r)
		entries = r.Bundle.Entries()
	} else {
		var s transcript.State
		var finished bool
		s, entries, finished, err = transcript.Unfinished(dir)
		if err == nil && finished && !errors.Is(bad, transcript.ErrIncomplete) {
			err = bad // nothing is repaired there any more
		}
		if s.Opened() == nil {
			return err
		}
		k.ceremony = recorded(filepath.Base(dir), s.Opened())
	}
	if err != nil {
		return err
	}
	seq := k.ceremony.Seq
	if other, ok := m.bundles[seq]; ok {
		return fmt.Errorf("%s is of ceremony %d as well: %w", other.ceremony.Bundle, seq, ErrFork)
	}
	for _, e := range entries {
		k.entries[e.Name] = e.Data
	}
	m.bundles[seq] = k
	return nil
}

// Recorded is a ceremony as a store has it, by its verified bundle.
func Recorded(r transcript.Report) (store.Ceremony, error) {
	c := recorded(r.Bundle.Name, r.Opened())
	if r.Outcome == "" {
		return c, nil
	}
	core, err := r.Core() // final.txt may not be there yet
	c.Outcome, c.Head, c.Final = r.Outcome, r.Last().Head(), transcript.Digest(core)
	return c, err
}

// recorded is a ceremony that is open.
func recorded(bundle string, opened transcript.Facts) store.Ceremony {
	seq, _ := strconv.Atoi(opened[transcript.FactCeremony]) // of the form that a first line must have
	return store.Ceremony{Seq: seq, Kind: opened[transcript.FactKind], Mode: opened[transcript.FactMode], Bundle: bundle}
}

// agree refuses a store that has anything else than the bundles have.
func (m *Merged) agree(ctx context.Context) error {
	all, err := m.Store.Ceremonies(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		k, ok := m.bundles[c.Seq]
		if !ok {
			continue
		}
		same := k.ceremony
		if c.Outcome == "" || same.Outcome == "" { // of what is open here or there
			same.Outcome, same.Head, same.Final = c.Outcome, c.Head, c.Final
		}
		if c != same {
			return fmt.Errorf("ceremony %d is another one in the store than in bundle %s: %w", c.Seq,
				printable.Text(k.ceremony.Bundle), ErrFork)
		}
		entries, err := m.Store.Entries(ctx, c.Seq)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if data, ok := k.entries[e.Name]; ok && !bytes.Equal(data, e.Data) {
				return fmt.Errorf("ceremony %d: %s is another one in the store than in bundle %s: %w", c.Seq,
					printable.Text(e.Name), printable.Text(k.ceremony.Bundle), ErrFork)
			}
		}
	}
	return nil
}

// leaveFinals leaves to the last ceremony's own command what the store lacks of its end alone: that
// gives back each final which is signed. One that is finished in the store has no such command.
func (m *Merged) leaveFinals(ctx context.Context) error {
	if len(m.bundles) == 0 {
		return nil
	}
	k := m.bundles[slices.Max(slices.Collect(maps.Keys(m.bundles)))]
	stored, err := m.Store.Entries(ctx, k.ceremony.Seq)
	if err != nil {
		return err
	}
	lacks := k.without(stored)
	if slices.ContainsFunc(lacks, isLine) {
		return nil
	}
	all, err := m.Store.Ceremonies(ctx)
	for _, c := range all {
		if c.Seq != k.ceremony.Seq {
			continue
		}
		if done, err := Finished(ctx, m.Store, c); err != nil || done {
			return err
		}
	}
	for _, e := range lacks {
		delete(k.entries, e.Name)
	}
	k.ceremony.Outcome, k.ceremony.Head, k.ceremony.Final = "", "", ""
	m.bundles[k.ceremony.Seq] = k
	return err
}

// Lost reports whether the store lacks lines of a ceremony, or does not know it.
func (m *Merged) Lost(ctx context.Context, ceremony int) (bool, error) {
	all, err := m.Lacking(ctx)
	return slices.ContainsFunc(all, func(l Lacking) bool {
		return l.Ceremony.Seq == ceremony && (l.Whole || slices.ContainsFunc(l.Entries, isLine))
	}), err
}

func isLine(e store.Entry) bool {
	_, is := transcript.ParseEntryName(e.Name)
	return is
}

// Unfinished is the last ceremony, if M have not signed its end.
func (m *Merged) Unfinished(ctx context.Context) (c store.Ceremony, open bool, err error) {
	all, err := m.Ceremonies(ctx)
	if err != nil || len(all) == 0 {
		return c, false, err
	}
	closed, err := Closed(ctx, m, all)
	return all[len(all)-1], len(closed) < len(all), err
}

// Ceremonies implements store.Log.
func (m *Merged) Ceremonies(ctx context.Context) ([]store.Ceremony, error) {
	all, err := m.Store.Ceremonies(ctx)
	by := map[int]store.Ceremony{}
	for _, k := range m.bundles {
		by[k.ceremony.Seq] = k.ceremony
	}
	for _, c := range all {
		if by[c.Seq].Outcome == "" {
			by[c.Seq] = c
		}
	}
	return slices.SortedFunc(maps.Values(by), func(a, b store.Ceremony) int { return a.Seq - b.Seq }), err
}

// Entries implements store.Log.
func (m *Merged) Entries(ctx context.Context, ceremony int) ([]store.Entry, error) {
	stored, err := m.Store.Entries(ctx, ceremony)
	all := slices.Concat(stored, m.bundles[ceremony].without(stored))
	slices.SortFunc(all, func(a, b store.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return all, err
}

// without are a bundle's entries that are not among some, by name.
func (k kept) without(some []store.Entry) (all []store.Entry) {
	for _, name := range slices.Sorted(maps.Keys(k.entries)) {
		if !slices.ContainsFunc(some, func(e store.Entry) bool { return e.Name == name }) {
			all = append(all, store.Entry{Ceremony: k.ceremony.Seq, Name: name, Data: k.entries[name]})
		}
	}
	return all
}

// AppendEntry implements store.Log. Where the store lacks lines of this very ceremony, it gets
// them first: those who sign its end sign them.
func (m *Merged) AppendEntry(ctx context.Context, e store.Entry) error {
	if err := m.complete(ctx, e.Ceremony); err != nil {
		return err
	}
	return m.Store.AppendEntry(ctx, e)
}

// CloseCeremony implements store.Log.
func (m *Merged) CloseCeremony(ctx context.Context, c store.Ceremony) error {
	if err := m.complete(ctx, c.Seq); err != nil {
		return err
	}
	return m.Store.CloseCeremony(ctx, c)
}

// complete gives the store what the bundle has of a ceremony, in order.
func (m *Merged) complete(ctx context.Context, ceremony int) error {
	k, ok := m.bundles[ceremony]
	if !ok || m.whole[ceremony] {
		return nil
	}
	if err := m.OpenCeremony(ctx, k.ceremony); err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	stored, err := m.Store.Entries(ctx, ceremony)
	if err != nil {
		return err
	}
	for _, e := range k.without(stored) {
		if err := m.Store.AppendEntry(ctx, e); err != nil {
			return err
		}
	}
	m.whole[ceremony] = true
	return nil
}

// Lock implements store.Keys: of a store that lost it, the one that the install's bundle tells.
func (m *Merged) Lock(ctx context.Context) (store.Lock, error) {
	l, err := m.Store.Lock(ctx)
	if errors.Is(err, store.ErrNotFound) && m.Versions.Lock.Chain != "" {
		return m.Versions.Lock, nil
	}
	return l, err
}
