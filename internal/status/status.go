// Package status says how a store stands, and what is due. It runs no ceremony.
package status

import (
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/audit"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
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
	resume  Due             // what continues it, or ends it
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
	Bound   bool   `json:"bound,omitempty"`            // by the log that made it: its wrapped DEKs open at one record only

	Destroy string `json:"may_be_destroyed,omitempty"` // when its waiting period ends, as 2028-12-31T00:00:00Z
	Copies  string `json:"open_copies,omitempty"`      // of its key, once a destruction was begun
	Removed bool   `json:"removed,omitempty"`          // how configuration is destroyed
	There   bool   `json:"key_there,omitempty"`        // it is destroyed, and the provider, if it was asked, has its key
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

	Disagreed bool `json:"disagreed,omitempty"` // too few agree with its end: its transcript stays incomplete
}

// Due is something to be done, and the command that does it.
type Due struct {
	Why     string `json:"why"`
	Command string `json:"command"`
}

// ExposedStatus is what a compromised version exposed. Only a new data key and payload help such an
// envelope: a re-wrap leaves it exposed.
type ExposedStatus struct {
	Version  kek.Version `json:"version"`
	Ceremony int         `json:"ceremony"`          // that listed them first
	Exposed  int         `json:"exposed"`           // envelopes, by all lists
	Left     *int        `json:"left,omitempty"`    // of them, that were not resealed; nil: nobody knows here
	Lacking  []string    `json:"lacking,omitempty"` // places where some were, and that the catalogue has not, or otherwise
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

// Open reports whether a ceremony is not finished: no other may begin.
func (st Status) Open() bool { return st.open }

// Continues reports whether what is due is to continue the ceremony that is not finished.
func (st Status) Continues(d Due) bool { return st.open && d == st.resume }

func (st *Status) add(command, why string, of ...any) {
	st.Due = append(st.Due, Due{fmt.Sprintf(why, of...), command})
}
