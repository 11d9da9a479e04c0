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

// election is a primary that steps down, again and again.
type election struct {
	meets Meets // nil: it does not
	n     int   // commands that met it
}

// next is what happens to the next command; a fault with nothing left is none.
func (e *election) next(name, collection string) fault {
	if e.meets == nil || !slices.Contains(slices.Concat(writes, reads), name) || !e.meets(name, collection) {
		return fault{}
	}
	codes := []int32{189, 10107, 11602, 11600, 91}
	code := codes[e.n%len(codes)]
	turn := e.n % 3
	e.n++
	if turn == 2 && slices.Contains(writes, name) {
		return besides(bson.D{{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: code},
			{Key: "errmsg", Value: "the primary steps down"}}}}, 1)
	}
	answer := Failure(code, "", "the primary steps down")
	return fault{left: 1, done: turn > 0, answer: func(bson.Raw, bson.Raw) []bson.E { return answer }}
}
