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

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Proxy stands before a server, and makes the faults that a test orders. Before one whose updates are not
// atomic, it lets one command run at a time.
type Proxy struct {
	address string
	server  upstream

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

	election election
	watch    func(Query)
	hear     func(name string, command bson.Raw)
}

// startProxy listens at a loopback address that nobody else has: while it is down no
// other server, and no connection of somebody's, takes the port.
func startProxy(t testing.TB, server upstream, one *sync.Mutex) *Proxy {
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
	server, err := p.server.dial()
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
	if answer := p.keeps(request); answer != nil {
		return p.send(client, reply(request, answer))
	}
	p.watched(request)
	p.heard(name, request)
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

// next takes what was ordered for a command, of its collection or of any.
func (p *Proxy) next(name, collection string) fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	order := name + " " + collection
	if p.faults[order].left == 0 {
		order = name
	}
	f := p.faults[order]
	switch {
	case f.after > 0:
		f.after--
		p.faults[order] = f
		return fault{}
	case f.left > 0:
		f.left--
		p.faults[order] = f
		f.left++
	case p.readOnly && slices.Contains(writes, name):
		return fault{left: 1, answer: func(bson.Raw, bson.Raw) []bson.E { return refusal }}
	case p.alone.yes && slices.Contains(writes, name):
		return besides(unmet, 1)
	default:
		return p.election.next(name, collection)
	}
	return f
}

func (p *Proxy) swallows(name, collection string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hole.swallows(name, collection)
}

func (p *Proxy) keeps(request []byte) bson.D {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.alone.keep(request)
}

func (p *Proxy) labor(name string, size int) (before, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy.labor(name, size)
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
