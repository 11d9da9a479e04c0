package mongotest

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Cut loses the answers of the next n commands of a name: the server carries
// each out, and the connection breaks.
func (p *Proxy) Cut(command string, n int) { p.order(command, fault{left: n, done: true}) }

// Swallow has the network swallow the nth of the next commands of a name, or its answer if it is done. Other
// connections stay good. The name may have a collection's after it, with a space.
func (p *Proxy) Swallow(command string, nth int, done bool) {
	p.order(command, fault{after: nth - 1, left: 1, done: done, silent: true})
}

// Busy has a server take that long for each KB of the commands of a name, also when nobody waits any more. What
// they do is done first or last.
func (p *Proxy) Busy(command string, each time.Duration, first bool) {
	p.set(func() { p.busy = busy{command: command, each: each, first: first} })
}

// Largest is how many bytes the largest such command had, since Busy was called.
func (p *Proxy) Largest() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy.largest
}

// Answer answers the next n commands of a name in the server's place, which never sees them.
func (p *Proxy) Answer(command string, n int, answer bson.D) {
	p.order(command, fault{left: n, answer: func(bson.Raw, bson.Raw) []bson.E { return answer }})
}

// Instead has the server carry out the next n commands of a name, and answers something else.
func (p *Proxy) Instead(command string, n int, answer bson.D) {
	p.order(command, fault{left: n, done: true, answer: func(bson.Raw, bson.Raw) []bson.E { return answer }})
}

// Beside has the server carry out the next n commands of a name, and answers something more.
func (p *Proxy) Beside(command string, n int, more bson.D) { p.order(command, besides(more, n)) }

// WithoutValidators has the next n changes of a collection answered as by DocumentDB without validators, which it has
// if a setting says so: it changes anything else of a collection, and none of them is there.
func (p *Proxy) WithoutValidators(n int) {
	p.order("collMod", fault{left: n, answer: func(request, _ bson.Raw) []bson.E {
		if _, err := request.LookupErr("validator"); err == nil {
			return Failure(115, "CommandNotSupported", "validator not supported yet")
		}
		return Failure(26, "NamespaceNotFound", "ns does not exist")
	}})
}

func (p *Proxy) order(command string, f fault) { p.set(func() { p.faults[command] = f }) }

// Ordered reports how many commands of a name have their fault still before them.
func (p *Proxy) Ordered(command string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults[command].left
}

// Before has something happen just before the next command of a name.
func (p *Proxy) Before(command string, do func()) { p.set(func() { p.before[command] = do }) }

// ReadOnly has every write refused, as MongoDB refuses a user who may only read.
func (p *Proxy) ReadOnly(yes bool) { p.set(func() { p.readOnly = yes }) }

// Slow limits the link to each client, in bytes a second.
func (p *Proxy) Slow(rate int) { p.set(func() { p.rate = rate }) }

// Fragile has the connection break in the middle of any answer of more bytes; 0: of none.
func (p *Proxy) Fragile(longest int) { p.set(func() { p.longest = longest }) }

// Hole has everything swallowed.
func (p *Proxy) Hole(yes bool) { p.set(func() { p.hole = hole{open: yes} }) }

// HoleFrom has everything swallowed from each command on that meets it, until a client has tried so many new
// connections; 0: until Hole ends it.
func (p *Proxy) HoleFrom(from Meets, tries int) {
	p.set(func() { p.hole = hole{from: from, tries: tries} })
}

// Elect has commands answered as by a primary that steps down or shuts down: by turns instead of carrying it out,
// after it, and by a write that the majority does not confirm. nil: none any more.
func (p *Proxy) Elect(meets Meets) { p.set(func() { p.election = election{meets: meets} }) }

// Elections is how many commands met one.
func (p *Proxy) Elections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.election.n
}

// AloneFrom has the majority be lost when a write meets it.
func (p *Proxy) AloneFrom(from Meets) { p.set(func() { p.alone = alone{from: from} }) }

// Rejoin has the majority be there again. What was kept is written, or rolled back.
func (p *Proxy) Rejoin(t testing.TB, rollBack bool) {
	t.Helper()
	var kept [][]byte
	p.set(func() { kept, p.alone = p.alone.kept, alone{} })
	if len(kept) == 0 || rollBack {
		return
	}
	server, err := p.server.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, request := range kept {
		answer, err := p.ask(server, request)
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := body(answer).Lookup("n").AsInt64OK(); !ok || n == 0 {
			t.Errorf("%s %s was written late: %v", commandOf(request), collectionOf(request), body(answer))
		}
	}
}
