package mongotest

import (
	"bytes"
	"encoding/binary"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// alone is a primary that lost the majority: it keeps what is inserted and updated, no read of the majority shows it,
// and every write is answered with a write concern error.
type alone struct {
	yes  bool
	from Meets    // the command that finds it so
	kept [][]byte // requests
}

// unmet is what such a primary adds to the answer of a write.
var unmet = bson.D{{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: int32(64)},
	{Key: "errmsg", Value: "waiting for replication timed out"}}}}

// keep is the answer to a write that the majority does not get; nil: it is none.
func (a *alone) keep(request []byte) bson.D {
	name, collection := commandOf(request), collectionOf(request)
	if name != "insert" && name != "update" {
		return nil
	}
	if a.yes = a.yes || a.from != nil && a.from(name, collection); !a.yes {
		return nil
	}
	same := func(other []byte) bool {
		return collectionOf(other) == collection && bytes.Equal(sequence(other), sequence(request))
	}
	if !slices.ContainsFunc(a.kept, same) {
		a.kept = append(a.kept, request)
		n := statements(request)
		return append(bson.D{{Key: "ok", Value: 1.0}, {Key: "n", Value: n}, {Key: "nModified", Value: n}}, unmet...)
	}
	answer := append(bson.D{{Key: "ok", Value: 1.0}, {Key: "n", Value: int32(0)}}, unmet...)
	if name == "insert" {
		answer = append(answer, bson.E{Key: "writeErrors", Value: bson.A{bson.D{{Key: "index", Value: int32(0)},
			{Key: "code", Value: int32(11000)}, {Key: "errmsg", Value: "E11000 duplicate key error"}}}})
	}
	return answer
}

// statements counts the documents of a request's sequence.
func statements(request []byte) (n int32) {
	for rest := sequence(request); len(rest) > 0; n++ {
		rest = rest[binary.LittleEndian.Uint32(rest):]
	}
	return n
}
