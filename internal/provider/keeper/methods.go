package keeper

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/term"
)

// Methods are what can be asked of the keeper.
type Methods struct{ k *keeper }

var (
	errNotOpen = errors.New("the provider is not open")
	errNoPIN   = errors.New("the provider has no PIN")
)

// ask is a job that needs the provider.
func (m *Methods) ask(r Request, a *Answer, job func(context.Context, provider.Provider) error) error {
	a.Fault = m.k.do(r.Call, func(ctx context.Context) error {
		if m.k.provider == nil {
			return errNotOpen
		}
		return job(ctx, m.k.provider)
	})
	return nil
}

// Open loads the module and finds the token.
func (m *Methods) Open(o Opening, a *Answer) error {
	a.Fault = m.k.do(0, func(context.Context) (err error) {
		if o.Terminal { // for good: a file that is forgotten is closed
			m.k.in, m.k.out = os.NewFile(fdIn, "terminal"), os.NewFile(fdOut, "terminal")
			unix.CloseOnExec(fdIn)
			unix.CloseOnExec(fdOut)
		}
		m.k.sharing.open(o.Sockets)
		p, err := o.Settings.Open()
		if err == nil { // else p may be a nil of its own type
			m.k.provider = p
			_, a.PIN = p.(provider.PINLogin)
		}
		return err
	})
	return nil
}

// CallOff ends a call that is in work.
func (m *Methods) CallOff(r Request, _ *Answer) error {
	m.k.callOff(r.Call)
	return nil
}

// Describe implements provider.Provider, as do those that follow.
func (m *Methods) Describe(r Request, a *Answer) error {
	return m.ask(r, a, func(ctx context.Context, p provider.Provider) (err error) {
		a.About, err = p.Describe(ctx)
		return err
	})
}

// askPIN is a job that needs a provider with a PIN.
func (m *Methods) askPIN(r Request, a *Answer, job func(context.Context, provider.PINLogin) error) error {
	return m.ask(r, a, func(ctx context.Context, p provider.Provider) error {
		in, ok := p.(provider.PINLogin)
		if !ok {
			return errNoPIN
		}
		return job(ctx, in)
	})
}

func (m *Methods) Tries(r Request, a *Answer) error {
	return m.askPIN(r, a, func(ctx context.Context, p provider.PINLogin) (err error) {
		m.k.sharing.pin.Wipe()
		a.Tries, err = p.Tries(ctx)
		return err
	})
}

// Enter reads the PIN of a file, from the terminal that is lent for it, or from another keeper.
func (m *Methods) Enter(r Request, a *Answer) error {
	return m.askPIN(r, a, func(ctx context.Context, p provider.PINLogin) error {
		if r.Given {
			return p.Enter(ctx, &m.k.sharing)
		}
		var from provider.Source = provider.File(r.File)
		if r.File == "" {
			if m.k.in == nil {
				return term.ErrNone
			}
			t, err := term.Of(m.k.in, m.k.out)
			if err != nil {
				return err
			}
			from = term.Prompt{Terminal: t, Text: r.Prompt}
		}
		return p.Enter(ctx, m.k.sharing.copied(from))
	})
}

func (m *Methods) Login(r Request, a *Answer) error {
	return m.askPIN(r, a, func(ctx context.Context, p provider.PINLogin) error {
		err := p.Login(ctx, r.Final)
		m.k.sharing.took(p, err)
		return err
	})
}

// Give gives another keeper the PIN with which this one logged in.
func (m *Methods) Give(r Request, a *Answer) error {
	return m.ask(r, a, func(context.Context, provider.Provider) error { return m.k.sharing.give(r.Other) })
}

// Forget wipes it.
func (m *Methods) Forget(r Request, a *Answer) error {
	return m.ask(r, a, func(context.Context, provider.Provider) error {
		m.k.sharing.forget()
		return nil
	})
}

// Probe begins; each Verdict is then asked for by itself, so that each line of the
// probe has its deadline.
func (m *Methods) Probe(r Request, _ *Answer) error {
	run := &probing{verdicts: make(chan provider.Verdict)}
	m.k.mu.Lock()
	m.k.probing = run
	m.k.mu.Unlock()
	go func() {
		var a Answer
		_ = m.ask(r, &a, func(ctx context.Context, p provider.Provider) error {
			return p.Probe(ctx, func(v provider.Verdict) {
				select {
				case run.verdicts <- v:
				case <-ctx.Done():
				}
			})
		})
		run.ended = a.Fault
		close(run.verdicts)
	}()
	return nil
}

// probing is a probe that is in work.
type probing struct {
	verdicts chan provider.Verdict
	ended    *Fault // once verdicts gives no more
}

// Verdict is the next line; after the last there is none, and what came of it all.
func (m *Methods) Verdict(_ Request, a *Answer) error {
	m.k.mu.Lock()
	run := m.k.probing
	m.k.mu.Unlock()
	if run == nil {
		a.Fault = faultOf(errNotOpen)
	} else if v, ok := <-run.verdicts; ok {
		a.Verdict = &v
	} else {
		a.Fault = run.ended
	}
	return nil
}

func (m *Methods) Ours(r Request, a *Answer) error {
	return m.ask(r, a, func(ctx context.Context, p provider.Provider) (err error) {
		a.Names, err = p.Ours(ctx)
		return err
	})
}

func (m *Methods) Find(r Request, a *Answer) error {
	return m.ask(r, a, func(ctx context.Context, p provider.Provider) error {
		k, err := p.Find(ctx, r.Name)
		a.Key = Key{k.Attributes, faultOf(k.Doubt)}
		return err
	})
}

func (m *Methods) Generate(r Request, a *Answer) error {
	return m.ask(r, a, func(ctx context.Context, p provider.Provider) error { return p.Generate(ctx, r.Name) })
}

func (m *Methods) Destroyable(r Request, a *Answer) error {
	return m.ask(r, a, func(ctx context.Context, p provider.Provider) error { return p.Destroyable(ctx, r.Name) })
}

func (m *Methods) Destroy(r Request, a *Answer) error {
	return m.ask(r, a, func(ctx context.Context, p provider.Provider) error { return p.Destroy(ctx, r.Name) })
}

func (m *Methods) Search(r Request, a *Answer) error {
	return m.ask(r, a, func(ctx context.Context, p provider.Provider) (err error) {
		a.Searched, err = p.Search(ctx, r.Name)
		return err
	})
}

func (m *Methods) Wrap(r Request, a *Answer) error {
	return m.ask(r, a, func(ctx context.Context, p provider.Provider) (err error) {
		a.Bytes, err = p.Wrap(ctx, r.Name, r.Bytes)
		return err
	})
}

func (m *Methods) Unwrap(r Request, a *Answer) error {
	return m.ask(r, a, func(ctx context.Context, p provider.Provider) error {
		a.Bytes = make([]byte, 32)
		return p.Unwrap(ctx, r.Name, r.Bytes, a.Bytes)
	})
}

func (m *Methods) Rewrap(b Batch, out *Rewrapped) error {
	out.Fault = m.k.do(b.Call, func(ctx context.Context) error {
		if m.k.provider == nil {
			return errNotOpen
		}
		items, err := b.items()
		if err != nil {
			return err
		}
		provider.Steady(m.k.provider, b.Steady)
		all, err := m.k.provider.Rewrap(ctx, items, b.To)
		out.answer(all)
		out.Workers = provider.Workers(m.k.provider)
		return err
	})
	return nil
}

// Close ends the sessions and the module, once the call in work is over: a module is
// never finalized while it is in use.
func (m *Methods) Close(r Request, a *Answer) error {
	return m.ask(r, a, func(context.Context, provider.Provider) error {
		m.k.sharing.forget()
		p := m.k.provider
		m.k.provider = nil
		return p.Close()
	})
}
