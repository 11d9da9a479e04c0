// Package keeper keeps a provider in a process of its own: the module, the PIN, the
// KEKs and the DEKs are there, and the store, the transcript and the screen here. A
// module that crashes, hangs or exits takes nothing with it. The child is this very
// program; it is asked over a socket, each call with a deadline.
package keeper

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/term"
)

// Command is the name of the child's command.
const Command = "keeper"

const service = "Keeper"

// Register names the kinds of providers that may be kept, once in a program, before
// anything is opened or served: both processes must know them.
func Register(kinds ...provider.Settings) {
	for _, k := range kinds {
		gob.RegisterName(k.Name(), k)
	}
}

// The deadlines that are not configured. A token with a keypad is given more for a login:
// somebody must walk there.
const (
	usualDeadline  = time.Minute
	keypadDeadline = 5 * time.Minute
	grace          = 5 * time.Second // for a call that was called off, and for the end
	forever        = 1<<63 - 1       // is for people
)

// Provider asks a child. Every error of a child that is not there any more is
// provider.ErrKeeper.
type Provider struct {
	deadline time.Duration
	conn     net.Conn
	client   *rpc.Client
	cmd      *exec.Cmd
	words    *lastWords
	call     uint64
	keypad   bool
	facts    []string          // that the provider may report
	pinned   map[string]string // facts that no child is asked for
	workers  atomic.Value      // string: asked for while a batch is in work
	steady   bool              // the provider is to try no other number of sessions

	exited chan struct{} // closed when the child has ended
	once   sync.Once
	end    error // how it did, once it was asked for
	mu     sync.Mutex
	killed string // why it was
}

var _ provider.Provider = (*Provider)(nil)

// withPIN is a Provider whose keys are behind a PIN.
type withPIN struct{ *Provider }

var _ provider.PINLogin = withPIN{}

// Open starts a child and has it open the provider, of a registered kind, which is a
// provider.PINLogin when the child's is. The child can read from the terminal when that is lent; nil: there is none.
// What can be known before anything of the provider runs is passed to known, if there is
// such, and the child opens just that or nothing: a module that runs can say of itself what
// it likes.
func Open(
	ctx context.Context, settings provider.Settings, t *term.Terminal, known func(map[string]string) error,
) (provider.Provider, error) {
	return openOne(ctx, settings, t, known, 0)
}

// OpenMany is Open of a provider that may get further processes, which re-wrap beside the first: as many as its
// settings say. Where the settings or the provider have nothing of the kind, there is one.
func OpenMany(
	ctx context.Context, settings provider.Settings, t *term.Terminal, known func(map[string]string) error,
) (provider.Provider, error) {
	return openOne(ctx, settings, t, known, further(settings))
}

func openOne(
	ctx context.Context, settings provider.Settings, t *term.Terminal, known func(map[string]string) error, more int,
) (provider.Provider, error) {
	settings, pinned, err := settings.Pin()
	if err != nil {
		return nil, err
	}
	if known != nil && len(pinned) > 0 {
		if err := known(pinned); err != nil {
			return nil, err
		}
	}
	ours, theirs, err := sockets(more)
	if err != nil {
		return nil, fmt.Errorf("open provider %s: %w", settings.Name(), err)
	}
	defer closeAll(theirs)
	c := child{settings, pinned, environment(settings, os.Environ())}
	p, pin, err := c.open(ctx, t, theirs)
	if err != nil || !pin || len(ours) == 0 {
		closeAll(ours)
	}
	switch {
	case err != nil:
		return nil, err
	case !pin:
		return p, nil
	case len(ours) == 0:
		return withPIN{p}, nil
	}
	return &many{withPIN: withPIN{p}, child: c, sockets: ours, fixed: fixes(settings)}, nil
}

// open starts one process with the provider, which may have a PIN. It gives the PIN to those at the other
// ends of its sockets, or gets it there.
func (c child) open(ctx context.Context, t *term.Terminal, sockets []*os.File) (p *Provider, pin bool, err error) {
	if p, err = c.startUnseen(t, sockets); err != nil {
		return nil, false, fmt.Errorf("open provider %s: %w", c.settings.Name(), err)
	}
	p.facts, p.pinned = provider.Names(c.settings), c.pinned
	var a Answer
	if err := p.do(ctx, "Open", Opening{c.settings, t != nil, len(sockets)}, &a, p.deadline); err != nil {
		return nil, false, fmt.Errorf("open provider %s: %w", c.settings.Name(), errors.Join(err, p.Close()))
	}
	if err := a.Fault.err(); err != nil {
		return nil, false, errors.Join(err, p.Close())
	}
	return p, a.PIN, nil
}

// do makes one call. A child that does not answer in time is killed; so is one that
// was told that nobody waits any more.
func (p *Provider) do(ctx context.Context, method string, args, reply any, deadline time.Duration) error {
	until := time.Time{} // never
	if deadline < forever {
		until = time.Now().Add(deadline)
	}
	if err := p.conn.SetWriteDeadline(until); err != nil { // a stopped child reads nothing
		return p.gone(err)
	}
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	call := p.client.Go(service+"."+method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
	case <-p.exited:
		<-call.Done
	case <-timer.C:
		p.kill(fmt.Sprintf("it did not answer for %s", deadline))
		<-call.Done
	case <-ctx.Done():
		p.callOff(call) // then it was answered all the same, or says that it was stopped
	}
	if call.Error != nil {
		return p.gone(call.Error)
	}
	return nil
}

// callOff tells the child that nobody waits, and waits until it has stopped.
func (p *Provider) callOff(call *rpc.Call) {
	off := p.client.Go(service+".CallOff", Request{Call: p.call}, &Answer{}, make(chan *rpc.Call, 1))
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for _, c := range []*rpc.Call{off, call} {
		select {
		case <-c.Done:
		case <-timer.C:
			p.kill("it was in the middle of a call and did not stop")
			<-c.Done
		}
	}
}

// Close has the child end the module's sessions, and ends the child.
func (p *Provider) Close() error {
	var a Answer
	_ = p.conn.SetWriteDeadline(time.Now().Add(grace)) // of a connection that is gone
	call := p.client.Go(service+".Close", Request{}, &a, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
	case <-time.After(grace):
		p.kill("it did not end")
		<-call.Done
	}
	_ = p.client.Close()
	select {
	case <-p.exited:
	case <-time.After(grace):
		p.kill("it did not end")
		<-p.exited
	}
	if call.Error != nil || a.Fault != nil && a.Fault.Text == errNotOpen.Error() {
		return nil // it was gone before
	}
	return a.Fault.err()
}
