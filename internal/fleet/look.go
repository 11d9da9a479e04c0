package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
)

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
	active, err := m.Store.Active(ctx) // before the states: an epoch that is reported covers what was moved before it
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err := m.newer(active); err != nil {
		return err
	}
	keks, err := m.Store.KEKs(ctx)
	if err != nil {
		return err
	}
	before := m.beat.Current
	v, lost := m.see(ctx, keks, active, lost)
	m.follow(v)
	if m.beat.Current != before {
		m.Report("writing " + written(m.beat.Current))
	}
	if err := m.Store.Heartbeat(ctx, m.beat); err != nil {
		return errors.Join(lost, err)
	}
	m.leased.Store(int64(at))
	return lost
}

func written(v kek.Version) string {
	if v == 0 {
		return "nothing"
	}
	return fmt.Sprintf("version %d", v)
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
	b.Refusals, b.Lease, b.Binds = int(m.refused.Load()), m.Live, m.Binds
	v := &View{Active: active, Readable: map[kek.Version]bool{}, Barred: map[kek.Version]bool{},
		Bound: map[kek.Version]bool{}}
	for _, k := range keks {
		if !k.State.Readable() {
			v.Barred[k.Version] = true
			m.confess(ctx, k, lost)
			continue
		}
		proof, err := "", lost
		if err == nil {
			proof, err = m.prove(ctx, k)
		}
		held, is := m.holds(k.Version), k.Version == active.Version && k.State == store.Live
		v.Readable[k.Version] = err == nil || held && !missing(err)
		// The canary is the proof. A row that says otherwise has none that opens, and changes nothing.
		v.Bound[k.Version] = err == nil && k.Bound || err != nil && m.name(k.Version).Bound
		if err == nil {
			b.Proofs[k.Version] = proof
			if is {
				b.Current = k.Version
			}
		} else {
			b.Trouble = printable.Text(err.Error())
		}
		v.Stopped = v.Stopped || k.Version == active.Version && k.State == store.Compromised
		v.Writes = v.Writes || is && (err == nil || held && passing(err))
		if provider.Lost(err) {
			lost = err
		}
	}
	if b.Trouble == "" {
		b.Trouble = m.spent(active.Version)
	}
	v.Trouble = b.Trouble
	if v.Stopped && v.Trouble == "" { // the heartbeat says that it writes nothing
		v.Trouble = ErrCompromised.Error()
	}
	if m.Placed && lost == nil {
		m.proveNext(ctx, keks)
	}
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

// name is that of a version's key, bound if the last good look proved that it is.
func (m *Member) name(v kek.Version) kek.Name {
	n := kek.NameOf(m.Chain, v)
	if last := m.view.Load(); last != nil {
		n.Bound = last.Bound[v]
	}
	return n
}

// confess proves a version whose key people are removing, where keys are configuration and this process
// still has it. It is not readable all the same.
func (m *Member) confess(ctx context.Context, k store.KEK, lost error) {
	if !m.Placed || k.State != store.Destroying || lost != nil {
		return
	}
	if proof, err := m.prove(ctx, k); err == nil {
		m.beat.Proofs[k.Version] = proof
	}
}

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
	name.Bound = k.Bound
	err = m.with(ctx, func(p provider.Provider) error {
		if _, err := p.Find(ctx, name); err != nil {
			return err
		}
		value, err := OpenCanary(ctx, p, name, k.Canary)
		if err != nil && !passing(err) && ctx.Err() == nil {
			return fmt.Errorf("its key does not open a value that only the right key opens: %w", err)
		}
		if err != nil {
			return err
		}
		defer value.Wipe()
		proof = Proof(value.Bytes(), m.Chain, k.Version, m.beat)
		return nil
	})
	return proof, err
}
