package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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

	Followed func(*View) // is told of each view, while nothing is wrapped or unwrapped; nil: nobody is

	once     sync.Once
	life     context.Context // of looks; ends with Close
	end      context.CancelFunc
	looking  chan struct{}       // held by the look under way
	using    chan struct{}       // held by who uses Provider
	kick     chan struct{}       // full when the provider was lost: Run looks at once
	counting sync.Mutex          // of left
	left     map[kek.Version]int // wraps that are reserved and not done

	calls sync.RWMutex // held by each wrap and unwrap; a view is followed between two

	view      atomic.Pointer[View]
	leased    atomic.Int64 // when the last look began whose heartbeat the store took; sinceBoot
	attempted atomic.Int64 // when the last look began
	refused   atomic.Int64
	beat      store.Heartbeat // the last one
	opened    time.Duration   // when Open was called last
	wentBack  bool            // the last look saw an older pointer than the one before
}

// View is what a member saw of the store at its last good look.
type View struct {
	Active   store.Active
	Readable map[kek.Version]bool // versions that it holds and that may be read
	Writes   bool                 // it holds the active version, which is live
	Trouble  string               // why a version is not held; printable
}

func (m *Member) begin() {
	m.once.Do(func() {
		m.life, m.end = context.WithCancel(context.Background())
		m.looking, m.using, m.kick = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	})
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
	m.begin()
	tick := time.NewTicker(m.Every)
	defer tick.Stop()
	for {
		if err := m.Look(ctx); err != nil && ctx.Err() == nil {
			m.Report(err.Error())
		}
		select {
		case <-ctx.Done():
			return m.Stop()
		case <-m.kick:
		case <-tick.C:
		}
	}
}

// Look reads the store, opens every canary again, so that a proof is never older than its
// heartbeat, follows the pointer, and reports. The look goes on when ctx ends: it is the
// process's, not the caller's.
func (m *Member) Look(ctx context.Context) error {
	return m.lookUnless(ctx, func() bool { return false })
}

// lookUnless waits for the look under way and looks, unless that one was enough.
func (m *Member) lookUnless(ctx context.Context, enough func() bool) error {
	m.begin()
	if err := take(ctx, m.looking); err != nil {
		return err
	}
	if enough() {
		<-m.looking
		return nil
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-m.looking }()
		bound := max(m.Live/2, m.Every, lookAgain)
		ctx, cancel := context.WithTimeout(m.life, bound)
		defer cancel()
		done <- m.look(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take takes what one at a time may have.
func take(ctx context.Context, one chan struct{}) error {
	select {
	case one <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Member) look(ctx context.Context) error {
	at := sinceBoot()
	m.attempted.Store(int64(at))
	lost := m.reach(ctx)
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
	if err := m.newer(active); err != nil {
		return err
	}
	before := m.beat.Current
	v, lost := m.see(ctx, keks, active, lost)
	m.follow(v)
	if m.beat.Current != before {
		m.Report(fmt.Sprintf("writing version %d", m.beat.Current))
	}
	if err := m.Store.Heartbeat(ctx, m.beat); err != nil {
		return errors.Join(lost, err)
	}
	m.leased.Store(int64(at))
	return lost
}

// newer refuses a pointer that is older than the one followed: a server that is behind. A store
// that went back says the same again.
func (m *Member) newer(active store.Active) error {
	last := m.view.Load()
	m.wentBack = last != nil && active.Epoch < last.Active.Epoch && !m.wentBack
	if m.wentBack {
		return fmt.Errorf("the pointer to the active version moved %d times, and had moved %d times", active.Epoch,
			last.Active.Epoch)
	}
	return nil
}

// see opens the canaries, and makes the next heartbeat of what they prove.
func (m *Member) see(ctx context.Context, keks []store.KEK, active store.Active, lost error) (*View, error) {
	b := &m.beat
	b.Number++
	b.Current, b.Epoch, b.Trouble, b.Proofs = 0, active.Epoch, "", map[kek.Version]string{}
	b.Refusals, b.Lease = int(m.refused.Load()), m.Live
	v := &View{Active: active, Readable: map[kek.Version]bool{}}
	for _, k := range keks {
		if !readable(k.State) {
			continue
		}
		proof, err := "", lost
		if err == nil {
			proof, err = m.prove(ctx, k)
		}
		held, is := m.holds(k.Version), k.Version == active.Version && k.State == store.Live
		v.Readable[k.Version] = err == nil || held && !missing(err)
		if err == nil {
			b.Proofs[k.Version] = proof
			if is {
				b.Current = k.Version
			}
		} else {
			b.Trouble = printable.Text(err.Error())
		}
		v.Writes = v.Writes || is && (err == nil || held && passing(err))
		if provider.Lost(err) {
			lost = err
		}
	}
	v.Trouble = b.Trouble
	return v, lost
}

// follow takes a view when no wrap or unwrap is under way: after the heartbeat that follows,
// nothing is wrapped with what was active before, nor read that was dropped.
func (m *Member) follow(v *View) {
	m.calls.Lock()
	defer m.calls.Unlock()
	m.view.Store(v)
	if m.Followed != nil {
		m.Followed(v)
	}
}

// readable reports whether a process may read a version in a state. It drops one in a state
// that it does not know.
func readable(s store.State) bool { return s == store.Live || s == store.Retired }

// missing reports an error that says that the key is not there, or is another.
func missing(err error) bool {
	return errors.Is(err, provider.ErrNoKey) || errors.Is(err, provider.ErrAmbiguous)
}

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
	err = m.with(ctx, func(p provider.Provider) (err error) {
		about, err = p.Describe(ctx)
		return err
	})
	if err != nil {
		return err
	}
	started := time.Now().UTC()
	m.beat = store.Heartbeat{ // processes in containers may have one host's name and one number
		Process: fmt.Sprintf("%s/%s/%d/%s-%08x", host, m.Role, os.Getpid(), started.Format("150405"), rand.Uint32()),
		Role:    m.Role, Host: host, PID: os.Getpid(), Provider: about["provider"], Started: started,
	}
	return nil
}

func (m *Member) prove(ctx context.Context, k store.KEK) (proof string, err error) {
	name := kek.NameOf(m.Chain, k.Version)
	err = m.with(ctx, func(p provider.Provider) error {
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

// reach opens the provider again if it was lost, once in a heartbeat at most.
func (m *Member) reach(ctx context.Context) error {
	if err := take(ctx, m.using); err != nil {
		return err
	}
	defer func() { <-m.using }()
	if m.Provider != nil {
		return nil
	}
	now := sinceBoot()
	if m.opened > 0 && now-m.opened < m.Every/2 {
		return provider.ErrGone
	}
	m.opened = now
	p, err := m.Open(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", provider.ErrGone, err)
	}
	m.Provider = p
	return nil
}

// with uses the provider, alone. One that is lost is closed, and opened again by the next look,
// which Run begins at once.
func (m *Member) with(ctx context.Context, use func(provider.Provider) error) error {
	if err := take(ctx, m.using); err != nil {
		return err
	}
	defer func() { <-m.using }()
	if m.Provider == nil {
		return provider.ErrGone
	}
	err := use(m.Provider)
	if provider.Lost(err) {
		_ = m.Provider.Close() // its end is no news
		m.Provider = nil
		select {
		case m.kick <- struct{}{}:
		default:
		}
	}
	return err
}

// Stop records that this process stopped, if it ever said that it was there.
func (m *Member) Stop() error {
	m.begin()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := take(ctx, m.looking); err != nil {
		return fmt.Errorf("record the stop: %w", err)
	}
	defer func() { <-m.looking }()
	if m.beat.Number == 0 {
		return nil
	}
	m.beat.Number++
	m.beat.Stopped, m.beat.Proofs, m.beat.Refusals = true, nil, int(m.refused.Load())
	return m.Store.Heartbeat(ctx, m.beat)
}

// Interrupt ends the looks under way.
func (m *Member) Interrupt() {
	m.begin()
	m.end()
}

// Close ends looks and closes the provider.
func (m *Member) Close() error {
	m.Interrupt()
	m.using <- struct{}{}
	defer func() { <-m.using }()
	if m.Provider == nil {
		return nil
	}
	p := m.Provider
	m.Provider = nil
	return p.Close()
}
