package mongotest

import (
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// fault is what becomes of the next commands of a name.
type fault struct {
	after  int // commands that it leaves alone
	left   int
	done   bool     // the server carries the command out
	silent bool     // nothing is answered, and the connection stays
	answer answerOf // in place of what the server said; nil: none, and the connection breaks
}

// answerOf makes an answer of a request, and of what the server said, if it was asked.
type answerOf func(request, real bson.Raw) []bson.E

// Cut loses the answers of the next n commands of a name: the server carries
// each out, and the connection breaks.
func (p *Proxy) Cut(command string, n int) { p.order(command, fault{left: n, done: true}) }

// Swallow has the network swallow the nth of the next commands of a name, or its answer if it is done. Other
// connections stay good. The name may have a collection's after it, with a space.
func (p *Proxy) Swallow(command string, nth int, done bool) {
	p.order(command, fault{after: nth - 1, left: 1, done: done, silent: true})
}

// busy is how long a server takes for commands of a name.
type busy struct {
	command string
	each    time.Duration // for a KB of the command
	first   bool          // it is done at the beginning of that
	largest int           // bytes of a command so far
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

// labor is how long a command takes before and after it is done.
func (p *Proxy) labor(name string, size int) (before, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if name != p.busy.command {
		return 0, 0
	}
	p.busy.largest = max(p.busy.largest, size)
	long := p.busy.each * time.Duration(size) / 1024
	if p.busy.first {
		return 0, long
	}
	return long, 0
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

func besides(more bson.D, n int) fault {
	return fault{left: n, done: true, answer: func(_, real bson.Raw) (all []bson.E) {
		elements, _ := real.Elements()
		for _, e := range elements {
			if !slices.ContainsFunc(more, func(m bson.E) bool { return m.Key == e.Key() }) {
				all = append(all, bson.E{Key: e.Key(), Value: e.Value()})
			}
		}
		return append(all, more...)
	}}
}

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
		return p.steppedDown(name, collection)
	}
	return f
}

var (
	writes = []string{"insert", "update", "delete", "create", "createIndexes", "collMod", "findAndModify"}
	reads  = []string{"find", "getMore", "aggregate", "count", "listCollections"}
)

// refusal is MongoDB's answer to a command that the user may not run.
var refusal = Failure(13, "Unauthorized", "not authorized on the database to execute this command")

// Failure is MongoDB's answer to a command that failed.
func Failure(code int32, name, text string) bson.D {
	return bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: text}, {Key: "code", Value: code},
		{Key: "codeName", Value: name}}
}
