package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Errors of a member that wraps and unwraps.
var (
	ErrLease    = errors.New("the store did not say for too long which version is active")
	ErrNotHeld  = errors.New("this process does not hold the version")
	ErrNoActive = errors.New("no version is active")
	// ErrCompromised: others may know the active version's key. Nothing is written until a rotation.
	ErrCompromised = errors.New("the active version is compromised: nothing is written until a rotation")
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
	// Placed has it also prove the next version, which no ceremony made yet: where keys are
	// configuration, people place them on the hosts before.
	Placed bool
	// Binds has it say that what it reports for can write and read with a version that is bound.
	Binds bool

	Followed func(*View) // is told of each view, while nothing is wrapped or unwrapped; nil: nobody is

	once     sync.Once
	life     context.Context // of looks; ends with Close
	end      context.CancelFunc
	looking  chan struct{}             // held by the look under way
	using    chan struct{}             // held by who uses Provider
	kick     chan struct{}             // full when the provider was lost: Run looks at once
	counting sync.Mutex                // of left and counted
	left     map[kek.Version]int       // wraps that are reserved and not done
	counted  map[kek.Version]kek.Wraps // in the store, by this process and others, when it reserved last

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
	Bound    map[kek.Version]bool // those of them whose canary, which it opened, is bound
	Barred   map[kek.Version]bool // versions that no process may read: disabled, or worse
	Writes   bool                 // it holds the active version, which is live
	Stopped  bool                 // the active version is compromised: nobody writes
	Trouble  string               // why a version is not held, or nothing is written; printable
}

func (m *Member) begin() {
	m.once.Do(func() {
		m.life, m.end = context.WithCancel(context.Background())
		m.looking, m.using, m.kick = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
		m.left, m.counted = map[kek.Version]int{}, map[kek.Version]kek.Wraps{}
	})
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

// lookAgain is how long after a look a version that it did not find is looked for again.
const lookAgain = time.Second

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

// Close ends looks and closes the provider.
func (m *Member) Close() error {
	m.begin()
	m.end()
	m.using <- struct{}{}
	defer func() { <-m.using }()
	if m.Provider == nil {
		return nil
	}
	p := m.Provider
	m.Provider = nil
	return p.Close()
}
