package mongotest

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"
	"testing"

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
	server, err := net.Dial("tcp", p.server)
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

// keep is the answer to a write that the majority does not get; nil: it is none.
func (p *Proxy) keep(request []byte) bson.D {
	p.mu.Lock()
	defer p.mu.Unlock()
	name, collection := commandOf(request), collectionOf(request)
	if name != "insert" && name != "update" {
		return nil
	}
	a := &p.alone
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

// sequence is what follows a request's first document: its kind, size and name, and what an insert or an update writes.
func sequence(request []byte) []byte { return request[msgDoc+len(body(request)):] }

// statements counts the documents of a sequence.
func statements(request []byte) (n int32) {
	rest := sequence(request)
	rest = rest[1+4:]
	rest = rest[bytes.IndexByte(rest, 0)+1:]
	for ; len(rest) > 0; n++ {
		rest = rest[binary.LittleEndian.Uint32(rest):]
	}
	return n
}
