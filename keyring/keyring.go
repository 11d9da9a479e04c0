// Package keyring is what an application imports to make and open envelopes: secret fields,
// each encrypted with a data key of its own, which a version of the KEK wraps. Ceremonies of
// kekceremony make, rotate and retire versions; this process follows them.
//
// A process that has a Ring is one of the fleet that a rotation waits for. It reports which
// versions it holds, with a proof made from its own unwrap of a value that only the right key
// opens, and which version it writes with. Nothing is written with a version before every live
// process has proved that it holds it.
//
// Providers and stores are packages of their own, imported for their init: keyring/env and
// keyring/pkcs11, keyring/mongo and keyring/sqlite. A program with env and mongo alone needs no
// cgo. A program that is written for Tink uses keyring/tinkaead.
//
// Data keys are in locked memory, for the time of a call; what crypto/aes derives from one stays
// on the heap until it is collected. A plaintext that is given or returned is the caller's.
//
// Seal relies on what the store said no longer ago than fleet.live, by a clock that counts the
// time that the host was suspended. A virtual machine that is paused from outside may not count
// it: what such a process writes with an old version, the next census finds.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/certautopilot/kekceremony/internal/binding"
	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/plug"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Errors to decide by, with errors.Is.
var (
	// ErrNotInstalled: no install ceremony was held on this store.
	ErrNotInstalled = errors.New("this store has no kek_install lock: run kekceremony install first")
	// ErrLockDiffers: the store is locked to another provider, or to another chain.
	ErrLockDiffers = store.ErrLockDiffers
	// ErrCurrentVersion: CERTAUTOPILOT_ENCRYPTION_CURRENT_VERSION is not the version that is active.
	ErrCurrentVersion = config.ErrCurrentVersion
	// ErrPlace: the place is not in the catalogue of the configuration.
	ErrPlace = errors.New("not a place of the catalogue")
	// ErrID: not an id that an envelope can be bound to.
	ErrID = binding.ErrID
	// ErrBinding: the version is bound, and the id of an envelope in an array lacks the element's key:
	// Element.
	ErrBinding = kek.ErrBinding
	// ErrNotHeld: this process has no key of the version, or may not read it.
	ErrNotHeld = fleet.ErrNotHeld
	// ErrDisabled: the version was disabled. That the envelope was refused is in the store before Open
	// returns, so that the version is not destroyed. It is ErrNotHeld as well.
	ErrDisabled = fleet.ErrDisabled
	// ErrNoActive: no version is active.
	ErrNoActive = fleet.ErrNoActive
	// ErrCompromised: others may know the active version's key. Nothing is sealed until a rotation to
	// another version; Open works as before.
	ErrCompromised = fleet.ErrCompromised
	// ErrLease: for longer than fleet.live the store did not say which version is active, or did
	// not take a heartbeat, and it does not now. Nothing is sealed.
	ErrLease = fleet.ErrLease
	// ErrProvider: the envelope is of another provider.
	ErrProvider = errors.New("an envelope of another provider")
	// ErrUndecryptable: the version's key does not open the envelope, or not with this AAD.
	ErrUndecryptable = errors.New("undecryptable")
	// ErrTokenGone: the token, or its module, is not there. It is opened again by itself.
	ErrTokenGone = provider.ErrGone
	// ErrTokenBusy: the token does not take another operation now.
	ErrTokenBusy = provider.ErrBusy
	// ErrClosed: Close was called.
	ErrClosed = errors.New("the ring is closed")
)

// Config says where a ring finds everything, and what it is in the fleet.
type Config struct {
	// File is the configuration of kekceremony, as on a console: store, encryption, fleet and
	// catalogue are read, transcripts only to count failed attempts at a PIN. Empty:
	// /etc/kekceremony/config.yaml. Variables of the environment set keys instead, as on a
	// console: docs/config.example.yaml.
	File string
	// Role is that of this process, as under fleet.expect: lower-case letters, digits and -.
	Role string
	// Report is told what changed, and what does not work, a line each. Nil: nobody is.
	Report func(line string)
	// Cache is how many unwrapped data keys are kept for later calls; 0: none. It saves the
	// token's answers, and costs this: data keys stay in locked memory, 32 bytes each, until
	// others take their place or Close.
	Cache int
}

// Ring makes and opens envelopes. It is safe for use by many goroutines; the provider does one
// wrap or unwrap at a time.
type Ring struct {
	member   *fleet.Member
	store    store.Store
	provider string
	chain    kek.Chain
	places   map[string]envelope.Place
	room     *room
	cache    *cache

	stop  context.CancelFunc
	ended chan error
	once  sync.Once
}

// Open opens store and provider, proves which versions this process holds, and reports from
// then on, every fleet.beat, until Close. It returns an error where store or provider cannot
// be opened, ErrNotInstalled, or ErrLockDiffers. A process without the active version's key
// gets a ring all the same, so that it reports what it lacks: Seal returns ErrNotHeld.
func Open(ctx context.Context, c Config) (*Ring, error) {
	if c.File == "" {
		c.File = config.Default
	}
	if c.Report == nil {
		c.Report = func(string) {}
	}
	if err := fleet.CheckRole(c.Role); err != nil {
		return nil, fmt.Errorf("open keyring: %w", err)
	}
	r, err := open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("open keyring: %w", err)
	}
	return r, nil
}

func open(ctx context.Context, c Config) (_ *Ring, err error) {
	cfg, err := config.ReadProcess(c.File, plug.Providers()...)
	if err != nil {
		return nil, err
	}
	fleet.WarnUnexpected(c.Role, cfg.Fleet.Expect, c.Report)
	catalogue, err := cfg.FullCatalogue()
	if err != nil {
		return nil, err
	}
	r := &Ring{provider: cfg.Encryption.Provider, places: map[string]envelope.Place{}, ended: make(chan error, 1)}
	for _, f := range catalogue {
		r.places[f.String()] = f
	}
	if r.store, err = plug.Open(ctx, cfg.Store); err != nil {
		return nil, err
	}
	r.store.Under(cfg.Adopted.Prefix())
	defer func() {
		if err != nil {
			err = errors.Join(err, r.release())
		}
	}()
	lock, err := r.store.Lock(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNotInstalled
	}
	if err == nil {
		err = lock.Matches(r.provider, kek.Chain(cfg.Chain))
	}
	if err == nil {
		err = cfg.CheckPointer(ctx, r.store)
	}
	if err != nil {
		return nil, err
	}
	r.chain = lock.Chain
	reached := opener(cfg)
	p, err := reached(ctx)
	if err != nil {
		return nil, err
	}
	r.member = &fleet.Member{Store: r.store, Provider: p, Open: reached, Chain: lock.Chain, Role: c.Role, Binds: true,
		Every: cfg.Fleet.Heartbeat, Live: cfg.Fleet.Live, Report: c.Report,
		Placed: !cfg.Encryption.Settings.OnToken()}
	if r.room, err = newRoom(); err != nil {
		return nil, err
	}
	if r.cache, err = newCache(c.Cache); err != nil {
		return nil, err
	}
	r.member.Followed = func(v *fleet.View) { r.cache.keep(v.Readable) }
	if err = r.member.Look(ctx); err != nil {
		return nil, errors.Join(err, r.member.Stop())
	}
	r.run()
	return r, nil
}

// run reports until Close.
func (r *Ring) run() {
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.ended <- r.member.Run(ctx) }()
}

// opener opens the provider and logs in, in this process. It comes back to the token that it
// began with, and to no other of that label: another one would get its PIN.
func opener(cfg config.Config) func(context.Context) (provider.Provider, error) {
	settings := provider.ForProcess(cfg.Encryption.Settings)
	return func(ctx context.Context) (provider.Provider, error) {
		pinned, _, err := settings.Pin()
		if err != nil {
			return nil, err
		}
		p, err := pinned.Open()
		if err != nil {
			return nil, err
		}
		if cfg.Encryption.PINFile != "" {
			how := login.PIN{File: cfg.Encryption.PINFile, Tries: cfg.Encryption.PINTries}
			if err := (login.Login{PIN: how, Dir: cfg.Transcripts}).Into(ctx, p); err != nil {
				return nil, errors.Join(err, p.Close())
			}
		}
		about, err := p.Describe(ctx)
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		if same, ok := settings.(provider.Pinned); ok {
			settings = same.PinnedTo(about)
		}
		return p, nil
	}
}

// Status is what a ring knows of itself, for a health page.
type Status struct {
	Active   int           // version to seal with; 0: none
	Epoch    int           // how often the active version changed
	Held     []int         // versions that this process opens envelopes of, ascending
	Age      time.Duration // of the last look at the store that it answered whole
	Trouble  string        // why a version is not held, or nothing is sealed; printable, empty: none
	Refusals int           // envelopes that could not be opened
}

// Status is that of the last good look.
func (r *Ring) Status() Status {
	v := r.member.View()
	s := Status{Active: int(v.Active.Version), Epoch: v.Active.Epoch, Age: r.member.Age(), Trouble: v.Trouble,
		Refusals: r.member.Refusals()}
	for _, version := range slices.Sorted(maps.Keys(v.Readable)) {
		if v.Readable[version] {
			s.Held = append(s.Held, int(version))
		}
	}
	return s
}

// Close refuses further calls with ErrClosed, waits for those under way until ctx ends, says in a
// last heartbeat that this process stopped, and closes provider and store. Where a call does not
// end, as when a token hangs, everything is left as it is, and ctx's error returned.
func (r *Ring) Close(ctx context.Context) (err error) {
	r.once.Do(func() {
		if err = r.room.close(ctx); err != nil {
			return
		}
		r.cache.wipe()
		r.stop()
		err = errors.Join(<-r.ended, r.release())
	})
	return err
}

// release closes what is open.
func (r *Ring) release() (err error) {
	if r.member != nil {
		err = r.member.Close()
	}
	return errors.Join(err, r.store.Close())
}

// Harden forbids core files, and other processes of this user to read this one's memory. Call
// it first in main: it changes the whole process, so a library does not call it by itself.
func Harden() error { return secret.Harden() }
