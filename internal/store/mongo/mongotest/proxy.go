package mongotest

import (
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy stands before a server, and makes the faults that a test orders. Before one whose updates are not
// atomic, it lets one command run at a time.
type Proxy struct {
	address string
	server  string

	one *sync.Mutex // held while a command runs, if the server's updates are not atomic; else nil

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
	faults   map[string]fault  // of the next commands of a name
	before   map[string]func() // what happens before the next such command
	readOnly bool
	rate     int // bytes a second to clients; 0: no limit
	longest  int // bytes of an answer, after which the connection breaks; 0: no limit
	busy     busy
	hole     hole
	alone    alone
	seen     map[string]int
	of       map[string]int // commands, by their names and their collections'

	elects    Meets
	elections int
	watch     func(Query)
}

// startProxy listens at a loopback address that nobody else has: while it is down no
// other server, and no connection of somebody's, takes the port.
func startProxy(t testing.TB, server string, one *sync.Mutex) *Proxy {
	t.Helper()
	host := []byte{127, 0, 0, 2}
	rand.Read(host[1:3])
	p := &Proxy{server: server, one: one, address: net.JoinHostPort(net.IP(host).String(), "0"),
		open: map[net.Conn]bool{}, faults: map[string]fault{}, before: map[string]func(){}, seen: map[string]int{},
		of: map[string]int{}}
	p.Up(t)
	p.address = p.listener.Addr().String()
	t.Cleanup(p.Down)
	return p
}

// Address is where the proxy is.
func (p *Proxy) Address() string { return p.address }

// Door is another proxy before the same server: who comes through it may meet what others do not.
func (p *Proxy) Door(t testing.TB) *Proxy { return startProxy(t, p.server, p.one) }

// Through is a URI of one proxy through another.
func (p *Proxy) Through(door *Proxy, uri string) string {
	return strings.Replace(uri, p.address, door.address, 1)
}

// Before has something happen just before the next command of a name.
func (p *Proxy) Before(command string, do func()) { p.set(func() { p.before[command] = do }) }

// ReadOnly has every write refused, as MongoDB refuses a user who may only read.
func (p *Proxy) ReadOnly(yes bool) { p.set(func() { p.readOnly = yes }) }

// Slow limits the link to each client, in bytes a second.
func (p *Proxy) Slow(rate int) { p.set(func() { p.rate = rate }) }

// Fragile has the connection break in the middle of any answer of more bytes; 0: of none.
func (p *Proxy) Fragile(longest int) { p.set(func() { p.longest = longest }) }

// Seen counts the commands of a name.
func (p *Proxy) Seen(command string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[command]
}

// Kinds counts the commands of collections, by the names of both with a space between.
func (p *Proxy) Kinds() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.of)
}

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// Down breaks every connection and takes no new one.
func (p *Proxy) Down() {
	p.set(func() {
		if p.listener != nil {
			p.listener.Close()
			p.listener = nil
		}
		for c := range p.open {
			c.Close()
		}
	})
}

// Up takes connections again, at the same address.
func (p *Proxy) Up(t testing.TB) {
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		t.Error(err)
		return
	}
	p.set(func() { p.listener = l })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
}

// serve passes one client's commands on, until either side ends.
func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	p.set(func() { p.open[client] = true })
	defer p.set(func() { delete(p.open, client) })
	for p.pass(client, server) == nil {
	}
}

var errCut = errors.New("cut")

// pass passes one command on and its answer back.
func (p *Proxy) pass(client, server net.Conn) error {
	request, err := message(client)
	if err != nil {
		return err
	}
	name, collection := commandOf(request), collectionOf(request)
	if p.swallows(name, collection) {
		return swallowed(client)
	}
	if answer := p.keep(request); answer != nil {
		return p.send(client, reply(request, answer))
	}
	p.watched(request)
	if do := p.happens(name, collection); do != nil {
		do()
	}
	f := p.next(name, collection)
	var answer []byte
	if f.left == 0 || f.done {
		before, after := p.labor(name, len(request))
		time.Sleep(before)
		if answer, err = p.ask(server, request); err != nil {
			return err
		}
		time.Sleep(after)
	}
	switch {
	case f.left == 0:
	case f.silent:
		return swallowed(client)
	case f.answer == nil:
		return errCut
	default:
		answer = reply(request, f.answer(body(request), body(answer)))
	}
	return p.send(client, answer)
}

// swallowed answers nothing more, until the client ends the connection.
func swallowed(client net.Conn) error {
	_, _ = io.Copy(io.Discard, client)
	return errCut
}

// send gives an answer to a client, as fast as the link is.
func (p *Proxy) send(client net.Conn, answer []byte) error {
	p.mu.Lock()
	rate, longest := p.rate, p.longest
	p.mu.Unlock()
	if longest > 0 && len(answer) > longest {
		_, _ = client.Write(answer[:longest])
		return errCut
	}
	if rate == 0 {
		_, err := client.Write(answer)
		return err
	}
	for piece := range slices.Chunk(answer, 16<<10) {
		time.Sleep(time.Duration(len(piece)) * time.Second / time.Duration(rate))
		if _, err := client.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// happens counts a command, and takes what happens before it.
func (p *Proxy) happens(name, collection string) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[name]++
	p.of[name+" "+collection]++
	do := p.before[name]
	delete(p.before, name)
	return do
}

// ask has the server carry out a command.
func (p *Proxy) ask(server net.Conn, request []byte) ([]byte, error) {
	if p.one != nil {
		p.one.Lock()
		defer p.one.Unlock()
	}
	if _, err := server.Write(request); err != nil {
		return nil, err
	}
	return message(server)
}
