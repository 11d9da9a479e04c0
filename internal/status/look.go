package status

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/certautopilot/kekceremony/internal/audit"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Look reads the status of a site's store.
func Look(ctx context.Context, s Site) (Status, error) {
	st := Status{
		Store:     printable.Text(s.Store.Describe()),
		Versions:  []VersionStatus{},
		Envelopes: []FieldStatus{},
		Fleet:     []ProcessStatus{},
		Due:       []Due{},
		Sources:   s.Sources,
	}
	for _, part := range []func(context.Context, Site) error{
		st.readLock, st.keks, st.census, st.fleet, st.wentBack, st.ceremony, st.chain, st.leaving, st.exposures, st.keys,
	} {
		if err := part(ctx, s); err != nil {
			return st, err
		}
	}
	st.due(s)
	return st, st.theirs(ctx, s)
}

func (st *Status) readLock(ctx context.Context, s Site) error {
	l, err := s.Store.Lock(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	st.lock = l
	st.Installed, st.Provider = true, printable.Text(l.Provider)
	st.Chain, st.Roster = printable.Text(string(l.Chain)), printable.Text(l.Roster)
	return err
}

func (st *Status) keks(ctx context.Context, s Site) error {
	keks, err := s.Store.KEKs(ctx)
	if err != nil {
		return err
	}
	wraps, err := s.Store.Wraps(ctx)
	if err != nil {
		return err
	}
	for _, k := range keks {
		st.Versions = append(st.Versions, VersionStatus{Version: k.Version, State: printable.Text(string(k.State)),
			Label: printable.Text(k.Label), Created: k.Created, Ceremony: k.Ceremony, Wraps: wraps[k.Version]})
	}
	a, err := s.Store.Active(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	st.Active = a.Version
	return err
}

func (st *Status) census(ctx context.Context, s Site) error {
	counts, err := s.Store.Census(ctx, s.Catalogue)
	for _, c := range counts {
		st.Envelopes = append(st.Envelopes, FieldStatus{c.Place.String(), c.Version, c.N})
	}
	return err
}

// wentBack looks for a bundle here of a ceremony that the store does not know.
func (st *Status) wentBack(ctx context.Context, s Site) error {
	if s.Bundles == "" {
		return nil
	}
	all, err := s.Store.Ceremonies(ctx)
	if err != nil {
		return err
	}
	err = history.RolledBack(s.Bundles, all)
	switch {
	case errors.Is(err, transcript.ErrWentBack):
		st.doubt = true
		st.add("kekceremony reconcile", "%s", printable.Text(err.Error()))
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

func (st *Status) ceremony(ctx context.Context, s Site) error {
	all, err := s.Store.Ceremonies(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	c := all[len(all)-1]
	st.Last = &CeremonyStatus{Seq: c.Seq, Kind: printable.Text(c.Kind), Outcome: printable.Text(c.Outcome),
		Final: printable.Text(c.Final), Bundle: printable.Text(c.Bundle)}
	enough, err := history.Finished(ctx, s.Store, c)
	if st.open = c.Outcome == "" || !enough; st.open && !st.doubt {
		st.resume = Due{fmt.Sprintf("ceremony %d, %s, lacks final signatures", c.Seq, st.Last.Kind), resume(ctx, s, c)}
		switch c.Outcome {
		case "":
			st.resume.Why = fmt.Sprintf("ceremony %d, %s, is not finished", c.Seq, st.Last.Kind)
		case transcript.OutcomeVoid:
			st.resume = Due{fmt.Sprintf("ceremony %d, %s, was given up, and is not archived yet", c.Seq, st.Last.Kind),
				"kekceremony abort"}
			err = nil
		}
		st.Due = append(st.Due, st.resume)
	}
	return st.doubted(err)
}

// doubted has the store doubted whose ceremonies are no chain: it is due to compare it with its bundles.
func (st *Status) doubted(err error) error {
	if !errors.Is(err, history.ErrHistory) {
		return err
	}
	if !st.doubt {
		st.doubt = true
		st.Due = []Due{{printable.Text(err.Error()), "kekceremony transcript verify --chain DIR --store URI"}}
	}
	return nil
}

// chain reads what the closed ceremonies left, and what of the store is otherwise.
func (st *Status) chain(ctx context.Context, s Site) error {
	if !st.Installed || st.doubt {
		return nil
	}
	all, err := s.Store.Ceremonies(ctx)
	if err != nil {
		return err
	}
	if st.open {
		all = all[:len(all)-1]
	}
	if st.history, err = history.Read(ctx, s.Store, all); err == nil && len(all) > 0 {
		st.roster, err = st.history.Roster(st.history.Logs[0].Mode(), st.lock)
	}
	if err != nil {
		return st.doubted(err)
	}
	for i := range st.Versions {
		v := &st.Versions[i]
		if end := st.history.Life(v.Version).End; !end.IsZero() {
			v.End = end.Format(time.DateOnly)
		}
	}
	outside := st.history.Versions().Outside
	for i := range st.Versions {
		st.Versions[i].Outside = outside[st.Versions[i].Version]
	}
	st.AtLeast = st.AtLeast || len(outside) > 0 || st.history.Reconciled()
	if st.open {
		return nil // it is in the middle of changing what they left
	}
	if st.Last != nil {
		st.Last.Disagreed = st.history.Disagreed != nil
	}
	st.behind, err = audit.LeftBehind(ctx, s.Store, s.Catalogue, st.history)
	st.Excluded = st.behind.Census.Excluded
	return err
}

// resume is the command that continues a ceremony.
func resume(ctx context.Context, s Site, c store.Ceremony) string {
	log, _, _ := history.Fence{Log: s.Store, Seq: c.Seq}.State(ctx) // one that cannot be read has no target
	opened := log.Opened()
	if opened == nil {
		opened = transcript.Facts{transcript.FactKind: c.Kind}
	}
	if command := s.Resume(opened); command != "" {
		return command
	}
	return "kekceremony transcript list"
}
