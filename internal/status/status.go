// Package status says how a store stands, and what is due. It runs no ceremony.
package status

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/audit"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Status is what a store says of itself, printable throughout. No provider is
// asked, so what processes say of the versions they hold is a claim.
type Status struct {
	Store     string          `json:"store"`
	Installed bool            `json:"installed"`
	Provider  string          `json:"provider,omitempty"` // locked
	Chain     string          `json:"chain,omitempty"`
	Roster    string          `json:"founding_roster,omitempty"` // SHA-256, hex
	Active    kek.Version     `json:"active,omitempty"`
	Versions  []VersionStatus `json:"versions"`
	NoKey     []kek.Version   `json:"no_key,omitempty"` // versions whose key the token lacks, if it was asked
	Envelopes []FieldStatus   `json:"envelopes"`
	Excluded  int             `json:"excluded,omitempty"` // of them: the last rotation may have left them
	Fleet     []ProcessStatus `json:"fleet"`
	More      bool            `json:"fleet_more,omitempty"`    // there are more silent processes
	Missing   []string        `json:"fleet_missing,omitempty"` // roles with too few live processes
	Last      *CeremonyStatus `json:"last_ceremony,omitempty"`
	Due       []Due           `json:"due"`

	behind audit.Behind // what the last ceremony left
}

// VersionStatus is one version of the KEK.
type VersionStatus struct {
	Version  kek.Version `json:"version"`
	State    string      `json:"state"`
	Label    string      `json:"label"`
	Created  time.Time   `json:"created"`
	Ceremony int         `json:"ceremony"`
}

// FieldStatus counts the envelopes of one field at one version.
type FieldStatus struct {
	Field   string      `json:"place"`
	Version kek.Version `json:"version"`
	N       int         `json:"n"`
}

// ProcessStatus is one process that has not said that it stopped.
type ProcessStatus struct {
	Process string        `json:"process"`
	Role    string        `json:"role"`
	Writes  kek.Version   `json:"writes"`
	Claims  []kek.Version `json:"claims"`
	Live    bool          `json:"live"`
	Seconds int           `json:"seconds_ago"`
	Trouble string        `json:"trouble,omitempty"`
}

// CeremonyStatus is the last ceremony.
type CeremonyStatus struct {
	Seq     int    `json:"seq"`
	Kind    string `json:"kind"`
	Outcome string `json:"outcome"` // empty while it is open
	Final   string `json:"final,omitempty"`
	Bundle  string `json:"bundle"`
}

// Due is something to be done, and the command that does it.
type Due struct {
	Why     string `json:"why"`
	Command string `json:"command"`
}

// Site is what there is to look at.
type Site struct {
	Store     store.Store
	Catalogue envelope.Catalogue
	Live      time.Duration  // a process that was seen within it is live
	Expect    map[string]int // live processes by role
	Bundles   string         // directory of this console's bundles; empty: none is looked at
	// Resume is the command that continues a ceremony, by its first line; empty: none.
	Resume func(opened transcript.Facts) string
	// Find looks for a version's key on the token; nil: no token is asked.
	Find func(context.Context, kek.Version) error
}

// shown is how many silent processes are listed: anyone who can write heartbeats can write as
// many as he likes.
const shown = 20

// Look reads the status of a site's store.
func Look(ctx context.Context, s Site) (Status, error) {
	st := Status{
		Store:     printable.Text(s.Store.Describe()),
		Versions:  []VersionStatus{},
		Envelopes: []FieldStatus{},
		Fleet:     []ProcessStatus{},
		Due:       []Due{},
	}
	for _, part := range []func(context.Context, Site) error{
		st.lock, st.keks, st.census, st.fleet, st.wentBack, st.ceremony, st.chain, st.token,
	} {
		if err := part(ctx, s); err != nil {
			return st, err
		}
	}
	st.due()
	return st, nil
}

func (st *Status) lock(ctx context.Context, s Site) error {
	l, err := s.Store.Lock(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	st.Installed, st.Provider = true, printable.Text(l.Provider)
	st.Chain, st.Roster = printable.Text(string(l.Chain)), printable.Text(l.Roster)
	return err
}

func (st *Status) keks(ctx context.Context, s Site) error {
	keks, err := s.Store.KEKs(ctx)
	if err != nil {
		return err
	}
	for _, k := range keks {
		st.Versions = append(st.Versions,
			VersionStatus{k.Version, printable.Text(string(k.State)), printable.Text(k.Label), k.Created, k.Ceremony})
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

func (st *Status) fleet(ctx context.Context, s Site) error {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	heartbeats, err := s.Store.Heartbeats(ctx, now.Add(-s.Live))
	if err != nil {
		return err
	}
	silent, err := s.Store.Silent(ctx, now.Add(-s.Live), "", shown+1)
	if err != nil {
		return err
	}
	st.More = len(silent) > shown
	live := map[string]int{}
	for _, b := range append(heartbeats, silent[:min(len(silent), shown)]...) {
		if b.Stopped {
			continue
		}
		age := now.Sub(b.Seen)
		p := ProcessStatus{
			Process: printable.Text(b.Process),
			Role:    printable.Text(b.Role),
			Writes:  b.Current,
			Claims:  slices.Sorted(maps.Keys(b.Proofs)),
			Live:    age <= s.Live,
			Seconds: int(age.Seconds()),
			Trouble: printable.Text(b.Trouble),
		}
		if p.Live {
			live[b.Role]++
		}
		st.Fleet = append(st.Fleet, p)
	}
	for _, role := range slices.Sorted(maps.Keys(s.Expect)) {
		if live[role] < s.Expect[role] {
			st.Missing = append(st.Missing, fmt.Sprintf("%d of %d %s", live[role], s.Expect[role], role))
		}
	}
	return nil
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
		st.Due = append(st.Due, Due{printable.Text(err.Error()), "kekceremony reconcile"})
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
	st.Last = &CeremonyStatus{c.Seq, printable.Text(c.Kind), printable.Text(c.Outcome), printable.Text(c.Final),
		printable.Text(c.Bundle)}
	enough, err := history.Finished(ctx, s.Store, c)
	if c.Outcome == "" || !enough {
		why := fmt.Sprintf("ceremony %d, %s, is not finished", c.Seq, st.Last.Kind)
		switch c.Outcome {
		case "":
		case transcript.OutcomeVoid:
			st.Due = append(st.Due, Due{fmt.Sprintf("ceremony %d, %s, was given up, and is not archived yet", c.Seq,
				st.Last.Kind), "kekceremony abort"})
			return nil
		default:
			why = fmt.Sprintf("ceremony %d, %s, lacks final signatures", c.Seq, st.Last.Kind)
		}
		st.Due = append(st.Due, Due{why, resume(ctx, s, c)})
	}
	return err
}

// chain reads what the ceremonies left, and what of the store is otherwise.
func (st *Status) chain(ctx context.Context, s Site) error {
	if len(st.Due) > 0 || !st.Installed {
		return nil // first things first
	}
	all, err := s.Store.Ceremonies(ctx)
	if err != nil {
		return err
	}
	h, err := history.Read(ctx, s.Store, all)
	if errors.Is(err, history.ErrHistory) {
		st.Due = append(st.Due, Due{printable.Text(err.Error()), "kekceremony transcript verify --chain DIR --store URI"})
		return nil
	}
	if err != nil {
		return err
	}
	st.behind, err = audit.LeftBehind(ctx, s.Store, s.Catalogue, h)
	st.Excluded = st.behind.Census.Excluded
	return err
}

// token asks for the key of every version.
func (st *Status) token(ctx context.Context, s Site) error {
	if s.Find == nil {
		return nil
	}
	for _, v := range st.Versions {
		err := s.Find(ctx, v.Version)
		if errors.Is(err, provider.ErrNoKey) {
			st.NoKey = append(st.NoKey, v.Version)
		} else if err != nil {
			return err
		}
	}
	return nil
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

// due adds what follows from versions and envelopes.
func (st *Status) due() {
	if len(st.Due) > 0 {
		return // first things first
	}
	if !st.Installed {
		if st.Last == nil {
			st.Due = append(st.Due, Due{"the store is not installed", "kekceremony install"})
		}
		return
	}
	if len(st.Versions) == 0 {
		st.Due = append(st.Due,
			Due{"the store has a lock but no version: its restore is incomplete", "kekceremony transcript list"})
		return
	}
	for _, d := range st.behind.Differences {
		st.Due = append(st.Due, Due{d.Error(), fmt.Sprintf("kekceremony rotate --to-version %d", st.behind.Census.Active)})
	}
	newest := st.Versions[len(st.Versions)-1]
	last := newest.Version
	if last > st.Active && newest.State == string(store.Live) {
		st.Due = append(st.Due, Due{
			fmt.Sprintf("version %d was generated and is not in use", last),
			fmt.Sprintf("kekceremony rotate --to-version %d", last),
		})
		return
	}
	if st.behind.Census.Due > 0 {
		st.Due = append(st.Due, Due{
			fmt.Sprintf("%d envelopes are not at version %d", st.behind.Census.Due, st.behind.Census.Active),
			fmt.Sprintf("kekceremony rotate --to-version %d", st.behind.Census.Active),
		})
	}
	for _, v := range st.NoKey {
		st.Due = append(st.Due, Due{fmt.Sprintf("the token has no key of version %d", v), "kekceremony probe"})
	}
	st.fleetDue()
}

// fleetDue adds what live processes do otherwise than they should.
func (st *Status) fleetDue() {
	for _, m := range st.Missing {
		st.Due = append(st.Due, Due{"live processes: only " + m, "kekceremony verify"})
	}
	for _, p := range st.Fleet {
		switch {
		case !p.Live:
		case p.Trouble != "":
			st.Due = append(st.Due, Due{p.Process + " has trouble: " + p.Trouble, "kekceremony verify"})
		case p.Writes != st.Active:
			st.Due = append(st.Due, Due{
				fmt.Sprintf("%s writes version %d, not the active version %d", p.Process, p.Writes, st.Active),
				"kekceremony verify",
			})
		}
	}
}
