package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Member is one process of the fleet: it holds every version that its provider reaches, says
// so with proof, and follows the pointer. An agent is one that does nothing else; a keyring
// wraps and unwraps with it.
type Member struct {
	Store interface {
		store.Keys
		store.Fleet
	}
	Provider provider.Provider
	// Open opens the provider again when it is lost, and logs in; at each heartbeat until
	// that succeeds.
	Open   func(context.Context) (provider.Provider, error)
	Chain  kek.Chain
	Role   string
	Every  time.Duration // between heartbeats
	Live   time.Duration // how old what it saw of the store may be when it wraps
	Report func(string)  // what changed, for a log

	looking sync.Mutex   // one look at a time
	using   sync.Mutex   // of Provider: one goroutine at a time uses it
	wraps   sync.RWMutex // held by each wrap; the pointer is followed between two
	view    atomic.Pointer[View]
	refused atomic.Int64
	beat    store.Heartbeat // the last one
}

// View is what a member saw of the store at its last good look.
type View struct {
	Active   store.Active
	Readable map[kek.Version]bool // versions that it holds and that may be read
	At       time.Duration        // of the look, on the clock of sinceBoot
	Trouble  string               // why a version is not held; printable
}

var roleForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// CheckRole refuses what is no role of a process.
func CheckRole(role string) error {
	if !roleForm.MatchString(role) {
		return fmt.Errorf("role %s: want lower-case letters, digits and -", printable.Quote(role))
	}
	return nil
}

// Run looks and reports until ctx ends, then records that it stopped.
func (m *Member) Run(ctx context.Context) error {
	tick := time.NewTicker(m.Every)
	defer tick.Stop()
	for {
		if err := m.Look(ctx); err != nil && ctx.Err() == nil {
			m.Report(err.Error())
		}
		select {
		case <-ctx.Done():
			return m.stop()
		case <-tick.C:
		}
	}
}

// Look reads the store, opens every canary again, so that a proof is never older than its
// heartbeat, follows the pointer, and reports.
func (m *Member) Look(ctx context.Context) error {
	m.looking.Lock()
	defer m.looking.Unlock()
	return m.look(ctx)
}

func (m *Member) look(ctx context.Context) error {
	at, lost := sinceBoot(), m.reach(ctx)
	if m.beat.Process == "" {
		if lost != nil {
			return lost
		}
		if err := m.first(ctx); err != nil {
			return err
		}
	}
	keks, err := m.Store.KEKs(ctx)
	if err != nil {
		return err
	}
	active, err := m.Store.Active(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	before, b := m.beat.Current, &m.beat
	b.Number++
	b.Current, b.Epoch, b.Trouble, b.Proofs = 0, active.Epoch, "", map[kek.Version]string{}
	b.Refusals = int(m.refused.Load())
	v := &View{Active: active, Readable: map[kek.Version]bool{}, At: at}
	for _, k := range keks {
		proof, err := "", lost
		if err == nil {
			proof, err = m.prove(ctx, k)
		}
		v.Readable[k.Version] = readable(k.State) && (err == nil || m.holds(k.Version) && passing(err))
		if err != nil {
			b.Trouble = printable.Text(err.Error())
			if provider.Lost(err) {
				lost = err
			}
			continue
		}
		b.Proofs[k.Version] = proof
		if k.Version == active.Version {
			b.Current = k.Version
		}
	}
	v.Trouble = b.Trouble
	m.follow(v)
	if b.Current != before {
		m.Report(fmt.Sprintf("writing version %d", b.Current))
	}
	return errors.Join(lost, m.Store.Heartbeat(ctx, *b))
}

// follow takes a view when no wrap is under way: after the heartbeat that follows, nothing is
// wrapped with what was active before.
func (m *Member) follow(v *View) {
	m.wraps.Lock()
	defer m.wraps.Unlock()
	m.view.Store(v)
}

// readable reports whether a process may read a version in a state. It drops one in a state
// that it does not know.
func readable(s store.State) bool { return s == store.Live || s == store.Retired }

// passing reports an error that says nothing about a key: it may be there again.
func passing(err error) bool { return provider.Lost(err) || errors.Is(err, provider.ErrBusy) }

// holds reports whether the last good look found a version that may be read.
func (m *Member) holds(v kek.Version) bool {
	last := m.view.Load()
	return last != nil && last.Readable[v]
}

func (m *Member) first(ctx context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("read the host's name: %w", err)
	}
	var about map[string]string
	err = m.with(func(p provider.Provider) (err error) {
		about, err = p.Describe(ctx)
		return err
	})
	if err != nil {
		return err
	}
	started := time.Now().UTC()
	m.beat = store.Heartbeat{
		Process: fmt.Sprintf("%s/%s/%d/%s", host, m.Role, os.Getpid(), started.Format("150405.000")),
		Role:    m.Role, Host: host, PID: os.Getpid(), Provider: about["provider"], Started: started,
	}
	return nil
}

func (m *Member) prove(ctx context.Context, k store.KEK) (proof string, err error) {
	name := kek.NameOf(m.Chain, k.Version)
	err = m.with(func(p provider.Provider) error {
		if _, err := p.Find(ctx, name); err != nil {
			return err
		}
		value, err := OpenCanary(ctx, p, name, k.Canary)
		if err != nil {
			return err
		}
		defer value.Wipe()
		proof = Proof(value.Bytes(), m.Chain, k.Version, m.beat)
		return nil
	})
	return proof, err
}

// reach opens the provider again if it was lost.
func (m *Member) reach(ctx context.Context) error {
	m.using.Lock()
	defer m.using.Unlock()
	if m.Provider != nil {
		return nil
	}
	p, err := m.Open(ctx)
	if err == nil {
		m.Provider = p
	}
	return err
}

// with uses the provider, alone. One that is lost is closed: the next look opens it again.
func (m *Member) with(use func(provider.Provider) error) error {
	m.using.Lock()
	defer m.using.Unlock()
	if m.Provider == nil {
		return provider.ErrGone
	}
	err := use(m.Provider)
	if provider.Lost(err) {
		_ = m.Provider.Close() // its end is no news
		m.Provider = nil
	}
	return err
}

func (m *Member) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	m.looking.Lock()
	defer m.looking.Unlock()
	if m.beat.Number == 0 {
		return nil // it never said that it was there
	}
	m.beat.Number++
	m.beat.Stopped, m.beat.Proofs, m.beat.Refusals = true, nil, int(m.refused.Load())
	return m.Store.Heartbeat(ctx, m.beat)
}

// Close closes the provider.
func (m *Member) Close() error {
	m.using.Lock()
	defer m.using.Unlock()
	if m.Provider == nil {
		return nil
	}
	p := m.Provider
	m.Provider = nil
	return p.Close()
}
