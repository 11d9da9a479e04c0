package mongotest

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Meets reports whether a command meets a fault, by its name and its collection's. It is asked of those that read
// or write, one at a time.
type Meets func(command, collection string) bool

// Every is every nth command.
func Every(nth int) Meets {
	n := 0
	return func(string, string) bool {
		n++
		return n%nth == 0
	}
}

// Elect has commands answered as by a primary that steps down or shuts down: by turns instead of carrying it out,
// after it, and by a write that the majority does not confirm. nil: none any more.
func (p *Proxy) Elect(meets Meets) { p.set(func() { p.elects, p.elections = meets, 0 }) }

// Elections is how many commands met one.
func (p *Proxy) Elections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.elections
}

// steppedDown is what happens to the next command; a fault with nothing left is none.
func (p *Proxy) steppedDown(name, collection string) fault {
	if p.elects == nil || !slices.Contains(slices.Concat(writes, reads), name) || !p.elects(name, collection) {
		return fault{}
	}
	codes := []int32{189, 10107, 11602, 11600, 91}
	code := codes[p.elections%len(codes)]
	turn := p.elections % 3
	p.elections++
	if turn == 2 && slices.Contains(writes, name) {
		return besides(bson.D{{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: code},
			{Key: "errmsg", Value: "the primary steps down"}}}}, 1)
	}
	answer := Failure(code, "", "the primary steps down")
	return fault{left: 1, done: turn > 0, answer: func(bson.Raw, bson.Raw) []bson.E { return answer }}
}
