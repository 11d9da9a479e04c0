// Package status says how a store stands, and what is due. It runs no ceremony.
package status

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/certautopilot/kekceremony/internal/audit"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Status is what a store says of itself, printable throughout. What processes say of the versions they
// hold is a claim. docs/status.schema.json is its form as JSON.
type Status struct {
	Store     string          `json:"store"`
	Installed bool            `json:"installed"`
	Provider  string          `json:"provider,omitempty"` // locked
	Chain     string          `json:"chain,omitempty"`
	Roster    string          `json:"founding_roster,omitempty"` // SHA-256, hex
	Active    kek.Version     `json:"active,omitempty"`
	Versions  []VersionStatus `json:"versions"`
	AtLeast   bool            `json:"wraps_at_least,omitempty"` // somebody may wrap who does not count
	NoKey     []kek.Version   `json:"no_key,omitempty"`         // versions whose key the provider lacks, if it was asked
	NoVersion []string        `json:"no_version,omitempty"`     // its keys of no version, if it was asked
	Envelopes []FieldStatus   `json:"envelopes"`
	Excluded  int             `json:"excluded,omitempty"` // of them: the last rotation may have left them
	Exposed   []ExposedStatus `json:"exposed,omitempty"`
	Fleet     []ProcessStatus `json:"fleet"`
	More      bool            `json:"fleet_more,omitempty"`    // there are more silent processes
	Missing   []string        `json:"fleet_missing,omitempty"` // roles with too few live processes
	Last      *CeremonyStatus `json:"last_ceremony,omitempty"`
	Sources   []Source        `json:"sources,omitempty"` // of configured values that are not the file's
	Due       []Due           `json:"due"`

	now     time.Time // of the store's clock
	lock    store.Lock
	history history.History // the closed ceremonies
	roster  quorum.Roster   // that the last of them left
	behind  audit.Behind    // what else it left
	open    bool            // a ceremony is not finished
	doubt   bool            // what the store says cannot be believed
}

// VersionStatus is one version of the KEK.
type VersionStatus struct {
	Version  kek.Version `json:"version"`
	State    string      `json:"state"`
	Label    string      `json:"label"`
	Created  time.Time   `json:"created"`
	Ceremony int         `json:"ceremony"`
	Wraps    kek.Wraps   `json:"wraps"`                  // that are counted
	End      string      `json:"planned_end,omitempty"`  // of use, as 2028-12-31
	Outside  bool        `json:"made_outside,omitempty"` // its key was made outside a ceremony

	SP80057 string `json:"sp800_57,omitempty"`         // what SP 800-57 calls the state
	Ready   bool   `json:"ready_to_disable,omitempty"` // no envelope is at it, and nothing is written with it
	Refused int    `json:"refused,omitempty"`          // envelopes that processes refused since it was disabled
}

// Source is where a configured value comes from that is not the file's.
type Source struct {
	Key  string `json:"key"`  // its path, such as encryption.provider
	From string `json:"from"` // a variable's name, or a flag such as --store
}

// FieldStatus counts the envelopes of one field at one version.
type FieldStatus struct {
	Field   string      `json:"place"`
	Version kek.Version `json:"version"`
	N       int         `json:"n"`
}

// ProcessStatus is one process that has not said that it stopped.
type ProcessStatus struct {
	Process  string        `json:"process"`
	Role     string        `json:"role"`
	Writes   kek.Version   `json:"writes"`
	Claims   []kek.Version `json:"claims"`
	Live     bool          `json:"live"`
	Replaced bool          `json:"replaced,omitempty"` // it fell silent, and another of its role has started since
	Counts   bool          `json:"counts"`             // it wraps by itself, and counts that
	Seconds  int           `json:"seconds_ago"`
	Trouble  string        `json:"trouble,omitempty"`
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

// Policy says when an end is due.
type Policy struct {
	MaxAge  time.Duration // of the active version; 0: no limit
	Warning time.Duration // before an end comes
}

// Site is what there is to look at.
type Site struct {
	Store     store.Store
	Catalogue envelope.Catalogue
	Live      time.Duration  // a process that was seen within it is live
	Expect    map[string]int // live processes by role
	Policy    Policy
	Sources   []Source
	Adopts    bool           // an application made the database before there were ceremonies
	Pointer   *store.Pointer // that it has of its own; nil: nobody described it
	Bundles   string         // directory of this console's bundles; empty: none is looked at
	// Resume is the command that continues a ceremony, by its first line; empty: none.
	Resume func(opened transcript.Facts) string
	// Provider is asked for the keys that it has; nil: none is asked.
	Provider provider.Provider
}

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
	st.Last = &CeremonyStatus{c.Seq, printable.Text(c.Kind), printable.Text(c.Outcome), printable.Text(c.Final),
		printable.Text(c.Bundle)}
	enough, err := history.Finished(ctx, s.Store, c)
	if st.open = c.Outcome == "" || !enough; st.open && !st.doubt {
		why := "is not finished"
		switch c.Outcome {
		case "":
		case transcript.OutcomeVoid:
			st.add("kekceremony abort", "ceremony %d, %s, was given up, and is not archived yet", c.Seq, st.Last.Kind)
			return nil
		default:
			why = "lacks final signatures"
		}
		st.add(resume(ctx, s, c), "ceremony %d, %s, %s", c.Seq, st.Last.Kind, why)
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
