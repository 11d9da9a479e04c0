package history

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Lacking is what a store lacks of one ceremony, and a bundle has.
type Lacking struct {
	Ceremony store.Ceremony
	Whole    bool // it has nothing of it
	Entries  []store.Entry
	Closed   bool // it does not know the end
}

// String is the number and kind of the ceremony, and what is lacking.
func (l Lacking) String() string {
	var what []string
	lines, finals := 0, 0
	for _, e := range l.Entries {
		if isLine(e) {
			lines++
		} else {
			finals++
		}
	}
	switch {
	case l.Whole:
		what = append(what, fmt.Sprintf("all %d lines", lines))
	case lines > 0:
		what = append(what, fmt.Sprintf("%d lines", lines))
	}
	if finals > 0 {
		what = append(what, fmt.Sprintf("%d files of finals", finals))
	}
	if l.Closed {
		what = append(what, fmt.Sprintf("its end, %s, final digest %.16s", l.Ceremony.Outcome, l.Ceremony.Final))
	}
	return fmt.Sprintf("%d %s (%s)", l.Ceremony.Seq, l.Ceremony.Kind, strings.Join(what, ", "))
}

// Lacking is what the store lacks, by ceremony.
func (m *Merged) Lacking(ctx context.Context) (all []Lacking, err error) {
	stored, err := m.Store.Ceremonies(ctx)
	if err != nil {
		return nil, err
	}
	merged, err := m.Ceremonies(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range merged {
		k, ok := m.bundles[c.Seq]
		if !ok {
			continue
		}
		entries, err := m.Store.Entries(ctx, c.Seq)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(stored, func(s store.Ceremony) bool { return s.Seq == c.Seq })
		l := Lacking{Ceremony: c, Whole: i < 0, Entries: k.without(entries),
			Closed: c.Outcome != "" && (i < 0 || stored[i].Outcome == "")}
		if l.Whole || l.Closed || len(l.Entries) > 0 {
			all = append(all, l)
		}
	}
	return all, nil
}

// TakeOver gives the store what it lacks: first what is nearest to the beginning, so that an
// interruption leaves a beginning. It writes nothing over anything.
func (m *Merged) TakeOver(ctx context.Context) error {
	all, err := m.Lacking(ctx)
	if err != nil {
		return err
	}
	for _, l := range all {
		if err := m.complete(ctx, l.Ceremony.Seq); err != nil {
			return err
		}
		if l.Closed {
			if err := m.CloseCeremony(ctx, l.Ceremony); err != nil {
				return err
			}
		}
	}
	return nil
}

// Digest is over all that the bundles have of the ceremonies before one, whatever the store has:
// SHA-256 over a line "NUMBER NAME DIGEST" for each line and final, in order.
func (m *Merged) Digest(before int) string {
	var all []byte
	for _, seq := range slices.Sorted(maps.Keys(m.bundles)) {
		if seq >= before {
			break
		}
		for _, e := range m.bundles[seq].without(nil) {
			all = fmt.Appendf(all, "%d %s %s\n", seq, e.Name, transcript.Digest(e.Data))
		}
	}
	return transcript.Digest(all)
}

// ends names the last of some ceremonies.
func ends(all []store.Ceremony) string {
	if len(all) == 0 {
		return "no ceremony"
	}
	last := all[len(all)-1]
	end := last.Outcome
	if end == "" {
		end = "not finished"
	}
	return fmt.Sprintf("ceremony %d, %s, %s", last.Seq, printable.Text(last.Kind), printable.Text(end))
}

// Ends are the last ceremony before one that the store has, and that store and bundles together
// have.
func (m *Merged) Ends(ctx context.Context, before int) (stored, merged string, err error) {
	own, err := m.Store.Ceremonies(ctx)
	if err != nil {
		return "", "", err
	}
	all, err := m.Ceremonies(ctx)
	later := func(c store.Ceremony) bool { return c.Seq >= before }
	return ends(slices.DeleteFunc(own, later)), ends(slices.DeleteFunc(all, later)), err
}
