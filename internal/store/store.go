// Package store is what the engine asks of a database: the lock, the versions
// and the pointer to the active one, the ceremonies and their events, the
// fleet's heartbeats, and the envelopes. Every rule rests on three things any
// backend has: an insert that fails when the id is taken, a compare-and-swap of
// one document, and the server's clock. There are no transactions across
// documents.
package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/binding"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// Errors a caller decides by. Backends wrap them.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("already exists")
	ErrConflict = errors.New("changed by another process")

	ErrName        = errors.New("not the name of a store")
	ErrNoDatabase  = errors.New("no such database")
	ErrSilent      = errors.New("the store does not answer")
	ErrNotReady    = errors.New("the store's server is not ready for it")
	ErrDenied      = errors.New("the store's user may not do this")
	ErrLock        = errors.New("not a lock that an install wrote")
	ErrLockDiffers = errors.New("the configuration does not match the kek_install lock")
	ErrServer      = errors.New("not a server that a ceremony can rely on")
	ErrPointer     = errors.New("not one version that an application's writers use")
	ErrPlace       = errors.New("the catalogue does not describe what is there")
)

// Store is one backend, open.
type Store interface {
	Keys
	Log
	Fleet
	Envelopes
	Theirs
	Fence
	// Under has the store keep the ceremony's own records under names with a prefix, in place of
	// kek_, in a database that has others of the plain names. Call it before anything else.
	Under(prefix string)
	// Describe names the backend and the database, without credentials.
	Describe() string
	Close() error
}

// Lock is the one document of kek_install. It is inserted once and never
// updated, so it holds only what never changes.
type Lock struct {
	Provider string
	Chain    kek.Chain
	Ceremony int    // the founding ceremony
	Roster   string // SHA-256 of the founding roster, hex
}

// Read checks what a backend has read of a lock: it returns ErrLock for one whose chain
// is no chain.
func (l Lock) Read() (Lock, error) {
	if _, err := kek.ParseChain(string(l.Chain)); err != nil {
		return Lock{}, fmt.Errorf("read kek_install: %w: %w", ErrLock, err)
	}
	return l, nil
}

// Ours is a lock that was read under another name: ErrNotFound unless it is one of ours.
func (l Lock) Ours() (Lock, error) {
	if _, err := kek.ParseChain(string(l.Chain)); err != nil {
		return Lock{}, ErrNotFound
	}
	return l, nil
}

// Matches refuses a configured provider or chain that the lock disagrees with: ErrLockDiffers.
// An empty chain is not pinned.
func (l Lock) Matches(provider string, chain kek.Chain) error {
	if l.Provider != provider {
		return fmt.Errorf("provider: configured %s, locked %s: %w", provider, printable.Text(l.Provider), ErrLockDiffers)
	}
	if chain != "" && l.Chain != chain {
		return fmt.Errorf("chain: configured %s, locked %s: %w", chain, printable.Text(string(l.Chain)), ErrLockDiffers)
	}
	return nil
}

// KEK is one document of kek_versions. It never holds key bytes.
type KEK struct {
	Version  kek.Version
	Provider string
	State    State
	Label    string
	ID       string // CKA_ID, hex
	Canary   Canary
	Ceremony int // the one that made it
	Created  time.Time
	Bound    bool // all that it wraps is bound; for applications, whose proof is the canary
}

// Canary is a random 32-byte value wrapped by a version. Anyone who unwraps it to
// the digest holds that very version.
type Canary struct {
	Wrapped []byte
	SHA256  string // of the value, hex
}

// Active is the pointer document: the version that writers use. Epoch counts
// its moves, from 1.
type Active struct {
	Version kek.Version
	Epoch   int
}

// Keys holds the lock, the versions and the pointer.
type Keys interface {
	// Lock returns ErrNotFound before an install, and ErrLock for what is not a lock.
	Lock(context.Context) (Lock, error)
	// InsertLock returns ErrExists when there is a lock, whatever it says.
	InsertLock(context.Context, Lock) error
	// KEKs returns all versions, ascending.
	KEKs(context.Context) ([]KEK, error)
	// InsertKEK returns ErrExists when the version is taken.
	InsertKEK(context.Context, KEK) error
	// MoveKEK returns ErrConflict when v is not in state from, and ErrMove for a move that no ceremony
	// makes.
	MoveKEK(ctx context.Context, v kek.Version, from, to State) error
	// Active returns ErrNotFound before the first MoveActive.
	Active(context.Context) (Active, error)
	// MoveActive replaces from by to; from is the zero Active when there is no
	// pointer yet. It returns ErrConflict when the pointer is not from.
	MoveActive(ctx context.Context, from, to Active) error
	// ReserveWraps counts wraps under a version before they are done, and returns how many are
	// counted in all. An answer that is lost may be counted twice; the count never falls.
	ReserveWraps(ctx context.Context, v kek.Version, n int) (kek.Wraps, error)
	// Wraps returns how many are counted; a version under which none is may be left out.
	Wraps(context.Context) (map[kek.Version]kek.Wraps, error)
}

// Ceremony is one document of kek_ceremonies.
type Ceremony struct {
	Seq     int // from 1, without a gap
	Kind    string
	Mode    string // production or rehearsal
	Bundle  string // the bundle directory's base name
	Outcome string // empty while it is open
	Head    string // SHA-256 of the close event's line, hex
	Final   string // SHA-256 of final.txt, hex
}

// Entry is one document of kek_events: a line of events.jsonl, or a final's file.
type Entry struct {
	Ceremony int
	Name     string // a line's number as six digits, or a file name
	Data     []byte // ASCII
}

// Void is one document of kek_void: an install that was given up before it made anything, as it
// was in kek_ceremonies and kek_events. It is in no chain.
type Void struct {
	Chain    kek.Chain // its own, which no ceremony has
	Ceremony Ceremony
	Entries  []Entry
}

// Log holds the ceremonies. All of it is insert-only but the closing of a ceremony, and an
// install that is given up: what was copied to the voids is deleted.
type Log interface {
	// Ceremonies returns all of them, ascending.
	Ceremonies(context.Context) ([]Ceremony, error)
	// OpenCeremony returns ErrExists when the number is taken: two consoles
	// cannot both open the next one.
	OpenCeremony(context.Context, Ceremony) error
	// CloseCeremony writes outcome, head and final digest of an open ceremony.
	// Closing it again alike changes nothing; otherwise it is ErrConflict.
	CloseCeremony(context.Context, Ceremony) error
	// AppendEntry returns ErrExists when the name is taken: the fence between
	// two consoles on one ceremony.
	AppendEntry(context.Context, Entry) error
	// Entries returns those of one ceremony by name.
	Entries(ctx context.Context, ceremony int) ([]Entry, error)

	// Voids returns the installs that were given up, by chain.
	Voids(context.Context) ([]Void, error)
	// InsertVoid returns ErrExists when there is one of the chain.
	InsertVoid(context.Context, Void) error
	// DeleteVoid deletes, of the ceremony of a chain's void, what the void holds the very copy
	// of: the entries, the last one first, and then the ceremony. Anything else stays, so that
	// doing it again, and late, harms nothing. It returns ErrNotFound where there is no void.
	DeleteVoid(context.Context, kek.Chain) error
}

// Heartbeat is one document of process_heartbeats: what a process said of itself.
type Heartbeat struct {
	Process  string // host/role/pid/start, unique
	Role     string
	Host     string
	PID      int
	Provider string
	Current  kek.Version            // what it writes with
	Epoch    int                    // of the pointer that it follows
	Proofs   map[kek.Version]string // of each version it has loaded, hex
	Number   int                    // of this heartbeat, from 1
	Lease    time.Duration          // how old its view of the store may be when it wraps; 0: it wraps nothing
	Binds    bool                   // it can write and read with a version that is bound
	Refusals int                    // envelopes it could not unwrap
	Started  time.Time
	Seen     time.Time // the server's clock, set by Heartbeat
	Stopped  bool
	Trouble  string // why it does not work, if it does not
}

// Fleet holds the heartbeats.
type Fleet interface {
	// Now is the server's clock.
	Now(context.Context) (time.Time, error)
	// Heartbeat writes b over the process's last heartbeat and sets Seen.
	Heartbeat(ctx context.Context, b Heartbeat) error
	// Heartbeats returns the last heartbeat of every process that was seen since a time, by
	// Process. It reads an index, not every row.
	Heartbeats(ctx context.Context, since time.Time) ([]Heartbeat, error)
	// Silent returns, by Process, at most limit heartbeats of processes after a name that
	// were not seen since a time and never said that they stopped.
	Silent(ctx context.Context, since time.Time, after string, limit int) ([]Heartbeat, error)
	// Forget deletes the heartbeats of processes that were not seen since a time, but those of some roles, and says
	// how many.
	Forget(ctx context.Context, since time.Time, but []string) (int, error)
	// Refuse records that a process refused an envelope of a disabled version, while it followed the pointer
	// of an epoch. Once it returns nil, that outlives the process.
	Refuse(ctx context.Context, process, role string, v kek.Version, epoch int) error
	// Refusals returns those of a version, those of the newest epoch first, MaxRefusals at most.
	Refusals(ctx context.Context, v kek.Version) ([]Refusal, error)
}

// Held is an envelope as the re-wrap sees it. What only
// looks like an envelope has version 0 or no wrapped DEK: no key opens it.
type Held struct {
	Path       string // its own, as of an envelope.Spot
	Version    kek.Version
	WrappedDEK []byte
	Keys       []envelope.Key // of the elements of arrays that it is in, where its place declares one
	Nonce      []byte         // of its payload, as Ciphertext, where its collection has Payloads
	Ciphertext []byte
}

// Document is a record with the envelopes it holds.
type Document struct {
	ID        any         // opaque, given back to the same store; fmt prints it
	Bound     binding.ID  // the id as envelopes are bound to it; zero: it is of no type for that
	Read      any         // opaque, given back to the same store: what a Swap compares beside the rest
	Version   kek.Version // the record's outer version; 0 also where its collection has none
	Envelopes []Held      // in the order of the places asked for; absent ones are left out
}

// Candidates are the most records that a backend reads at once for a smaller page, while few are due.
const Candidates = 512

// Due reports whether an envelope of a record of c, or the record itself, is not at a version.
func (d Document) Due(c envelope.Collection, to kek.Version) bool {
	return len(d.Envelopes) > 0 && c.Outer != "" && d.Version != to ||
		slices.ContainsFunc(d.Envelopes, func(h Held) bool { return h.Version != to })
}

// Has reports whether a record has an envelope with the very bytes.
func (d Document) Has(h Held) bool {
	return slices.ContainsFunc(d.Envelopes, func(o Held) bool {
		return o.Path == h.Path && o.Version == h.Version && bytes.Equal(o.WrappedDEK, h.WrappedDEK)
	})
}

// Swap replaces the envelopes New in Old. It takes effect only while the
// document still is Old: outer version, every envelope's version, wrapped bytes
// and elements' keys, the absence of those that Old does not have, and the length of each array on the way.
type Swap struct {
	Old Document
	New []Held // the envelopes of Old that change
	To  kek.Version
}

// Count is how many envelopes of one place are at one version.
type Count struct {
	Place   envelope.Place
	Version kek.Version
	N       int
}

// Envelopes reads and re-writes the secret fields.
type Envelopes interface {
	// Census counts all envelopes of the catalogue by place and version. An
	// outer version that disagrees with its envelopes counts as an envelope
	// at the outer version, so that it cannot hide.
	Census(context.Context, envelope.Catalogue) ([]Count, error)
	// Strangers lists places outside the catalogue that hold envelopes, in the standard form. Their
	// names are the application's, not printable text.
	Strangers(context.Context, envelope.Catalogue) ([]envelope.Place, error)
	// Every reads the records of a collection that have an envelope, or what looks like one, at one of its
	// places, as Census counts them, in no order; where an answer was lost, a record may come twice.
	Every(ctx context.Context, c envelope.Collection, visit func(Document) error) error
	// Scan reads every record of every collection of applications; where an answer was lost, a
	// record may come twice.
	Scan(ctx context.Context, record func(collection string, record envelope.Tree) error) error
	// Page returns, by id, at most limit documents after the id that hold an
	// envelope not at version to, fewer where they are large, and none where none is left. A nil id is
	// the beginning.
	Page(ctx context.Context, c envelope.Collection, to kek.Version, after any, limit int) ([]Document, error)
	// EncodeID writes a Document's ID as text that DecodeID reads again, to be
	// given to Page by a later run.
	EncodeID(id any) (string, error)
	DecodeID(text string) (any, error)
	// Swap applies each of the swaps on its own and reports which took effect.
	// Before an error it may have answered for the first ones only.
	Swap(ctx context.Context, c envelope.Collection, swaps []Swap) ([]bool, error)
}
