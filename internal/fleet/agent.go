package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Agent reports for one process: it loads every version its provider reaches and
// says so, with proof, and follows the pointer.
type Agent struct {
	Store    store.Store
	Provider provider.Provider
	// Open opens the provider again when it is lost, and logs in; at each heartbeat until
	// that succeeds.
	Open   func(context.Context) (provider.Provider, error)
	Chain  kek.Chain
	Role   string
	Every  time.Duration // between heartbeats
	Report func(string)  // what changed, for a log
}

// Run reports until ctx ends, then records that it stopped.
func (a *Agent) Run(ctx context.Context) error {
	var b store.Heartbeat
	tick := time.NewTicker(a.Every)
	defer tick.Stop()
	for {
		if err := a.report(ctx, &b); err != nil && ctx.Err() == nil {
			a.Report(err.Error())
		}
		select {
		case <-ctx.Done():
			return a.stop(b)
		case <-tick.C:
		}
	}
}

// reach opens the provider again if it was lost.
func (a *Agent) reach(ctx context.Context) (err error) {
	if a.Provider == nil {
		var p provider.Provider
		if p, err = a.Open(ctx); err == nil {
			a.Provider = p
		}
	}
	return err
}

// lose closes a provider of which an error says that it is lost.
func (a *Agent) lose(err error) {
	if a.Provider != nil && provider.Lost(err) {
		_ = a.Provider.Close() // its end is no news
		a.Provider = nil
	}
}

func (a *Agent) first(ctx context.Context) (store.Heartbeat, error) {
	host, err := os.Hostname()
	if err != nil {
		return store.Heartbeat{}, fmt.Errorf("read the host's name: %w", err)
	}
	about, err := a.Provider.Describe(ctx)
	if err != nil {
		return store.Heartbeat{}, err
	}
	started := time.Now().UTC()
	return store.Heartbeat{
		Process: fmt.Sprintf("%s/%s/%d/%s", host, a.Role, os.Getpid(), started.Format("150405.000")),
		Role:    a.Role, Host: host, PID: os.Getpid(), Provider: about["provider"], Started: started,
	}, nil
}

// report opens every canary again, so that a proof is never older than its heartbeat.
func (a *Agent) report(ctx context.Context, b *store.Heartbeat) error {
	lost := a.reach(ctx)
	if b.Process == "" {
		if lost != nil {
			return lost
		}
		var err error
		if *b, err = a.first(ctx); err != nil {
			a.lose(err)
			return err
		}
	}
	keks, err := a.Store.KEKs(ctx)
	if err != nil {
		return err
	}
	active, err := a.Store.Active(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	before := b.Current
	b.Number++
	b.Current, b.Trouble, b.Proofs = 0, "", map[kek.Version]string{}
	for _, k := range keks {
		proof, err := "", lost
		if err == nil {
			proof, err = a.prove(ctx, k, *b)
		}
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
	if b.Current != before {
		a.Report(fmt.Sprintf("writing version %d", b.Current))
	}
	a.lose(lost)
	return errors.Join(lost, a.Store.Heartbeat(ctx, *b))
}

func (a *Agent) prove(ctx context.Context, k store.KEK, b store.Heartbeat) (string, error) {
	name := kek.NameOf(a.Chain, k.Version)
	if _, err := a.Provider.Find(ctx, name); err != nil {
		return "", err
	}
	value, err := OpenCanary(ctx, a.Provider, name, k.Canary)
	if err != nil {
		return "", err
	}
	defer value.Wipe()
	return Proof(value.Bytes(), a.Chain, k.Version, b), nil
}

func (a *Agent) stop(b store.Heartbeat) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if b.Number == 0 {
		return nil // it never said that it was there
	}
	b.Number++
	b.Stopped, b.Proofs = true, nil
	return a.Store.Heartbeat(ctx, b)
}
