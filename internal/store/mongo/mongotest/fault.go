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

// busy is how long a server takes for commands of a name.
type busy struct {
	command string
	each    time.Duration // for a KB of the command
	first   bool          // it is done at the beginning of that
	largest int           // bytes of a command so far
}

// labor is how long a command takes before and after it is done.
func (b *busy) labor(name string, size int) (before, after time.Duration) {
	if name != b.command {
		return 0, 0
	}
	b.largest = max(b.largest, size)
	long := b.each * time.Duration(size) / 1024
	if b.first {
		return 0, long
	}
	return long, 0
}

// besides has the server carry out n commands, and answers something more.
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
