package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// codes are those that a server answers with while it moves its primary, ends, loses a cursor or is
// asked for too much.
var codes = []int32{43, 237, 175, 136, 10107, 11602, 11600, 91, 189, 133, 134, 262, 6, 202, 16500, 50}

// labels say the same of an error of any code.
var labels = []string{"RetryableWriteError", "TransientTransactionError", "RetryableError", "SystemOverloadedError"}

// form is a way in which a server says that it cannot now.
type form struct {
	name  string
	of    []string // commands; none: of all
	order func(p *mongotest.Proxy, command string, code int32)
}

var (
	items  = []string{"insert", "update", "delete"} // commands with several documents
	writes = append([]string{"findAndModify", "create", "createIndexes", "collMod"}, items...)
)

func text(code int32) string { return fmt.Sprintf("the test's %d", code) }

func part(code int32) bson.D {
	return bson.D{{Key: "index", Value: int32(0)}, {Key: "code", Value: code}, {Key: "errmsg", Value: text(code)}}
}

var forms = []form{
	{"refused", nil, func(p *mongotest.Proxy, command string, code int32) {
		p.Answer(command, 1, mongotest.Failure(code, "", text(code)))
	}},
	{"done, and refused", nil, func(p *mongotest.Proxy, command string, code int32) {
		p.Instead(command, 1, mongotest.Failure(code, "", text(code)))
	}},
	{"by its label", nil, func(p *mongotest.Proxy, command string, code int32) {
		p.Answer(command, 1, append(mongotest.Failure(8, "UnknownError", text(code)),
			bson.E{Key: "errorLabels", Value: bson.A{labels[slices.Index(codes, code)%len(labels)]}}))
	}},
	{"an item", items, func(p *mongotest.Proxy, command string, code int32) {
		p.Answer(command, 1, bson.D{{Key: "n", Value: int32(0)}, {Key: "writeErrors", Value: bson.A{part(code)}},
			{Key: "ok", Value: 1.0}})
	}},
	{"the write concern", writes, func(p *mongotest.Proxy, command string, code int32) {
		p.Beside(command, 1, bson.D{{Key: "writeConcernError", Value: part(code)[1:]}})
	}},
}

// TestCommands: operations list all the commands that they consist of, so that the faults below meet each.
func TestCommands(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	drivers := []string{"handshake", "hello", "endSessions"} // which it may send at any time
	for _, o := range operations {
		r.n++
		before := r.server.Kinds()
		if err := o.do(r); err != nil {
			t.Errorf("%s: %v", o.name, err)
		}
		sent := map[string]bool{}
		for kind, n := range r.server.Kinds() {
			if name, _, _ := strings.Cut(kind, " "); n > before[kind] {
				sent[name] = true
			}
		}
		for _, name := range o.commands {
			if !sent[name] {
				t.Errorf("%s sends no %s", o.name, name)
			}
			delete(sent, name)
		}
		for name := range sent {
			if slices.Contains(drivers, name) {
				continue
			}
			t.Errorf("%s sends %s, which it does not list", o.name, name)
		}
	}
}

// TestTransient has the server answer each command of each operation in every way, with every code, that
// it cannot do it now. The operation does what it is for, once.
func TestTransient(t *testing.T) {
	t.Parallel()
	const rooms = 4 // side by side, as the driver waits half a second for a server that was no primary
	for i := range rooms {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			for j, o := range operations {
				if j%rooms == i {
					transient(t, r, j, o)
				}
			}
		})
	}
}

// transient does an operation with each fault.
func transient(t *testing.T, r *room, seed int, o operation) {
	for _, command := range o.commands {
		for k, f := range forms {
			if f.of != nil && !slices.Contains(f.of, command) {
				continue
			}
			for l, code := range codes {
				if !everyFault && l != (seed*7+k*4)%len(codes) {
					continue
				}
				r.n++
				f.order(r.server.Proxy, command, code)
				err := o.do(r)
				if r.server.Ordered(command) > 0 {
					t.Fatalf("%s has no %s", o.name, command)
				}
				if err != nil {
					t.Errorf("%s: %s %s with %d: %v", o.name, command, f.name, code, err)
				}
			}
		}
	}
}

// TestWriteConcern: a change of a collection or its indexes is done and the majority is not known to have it. It is
// tried again. What becomes of the operation does not show it.
func TestWriteConcern(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	for command, do := range map[string]func() error{
		"create":        func() error { return r.s.CreateCollection(r.ctx, envelope.Collection{Name: "made"}) },
		"createIndexes": func() error { return r.s.OpenCeremony(r.ctx, store.Ceremony{Seq: 9}) },
		"collMod":       func() error { return r.s.CanFence(r.ctx, nil) },
	} {
		r.server.Instead(command, 1, bson.D{{Key: "ok", Value: 1.0}, {Key: "writeConcernError", Value: part(11602)[1:]}})
		before := r.server.Seen(command)
		if err := do(); err != nil && !errors.Is(err, store.ErrNoFence) { // FerretDB
			t.Errorf("%s: %v", command, err)
		}
		if n := r.server.Seen(command) - before; n != 2 {
			t.Errorf("%s: %d attempts", command, n)
		}
	}
}

// TestNotReady: a server that says so for longer than a minute is named, and what it says.
func TestNotReady(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.s.Hasten(50 * time.Millisecond)
	for _, code := range []int32{134, 16500} {
		r.server.Answer("insert", 1000, mongotest.Failure(code, "", text(code)))
		err := r.s.AppendEntry(r.ctx, store.Entry{Ceremony: 3, Name: "x"})
		if !errors.Is(err, store.ErrNotReady) || !strings.Contains(err.Error(), text(code)) {
			t.Errorf("%d: %v", code, err)
		}
		if n := 1000 - r.server.Ordered("insert"); n < 2 {
			t.Errorf("%d: %d attempts", code, n)
		}
	}
	r.server.Answer("update", 1, mongotest.Failure(189, "PrimarySteppedDown", text(189)))
	if err := r.s.Heartbeat(r.ctx, store.Heartbeat{Process: "p"}); !errors.Is(err, store.ErrNotReady) {
		t.Errorf("a heartbeat: %v", err) // the next one is
	}
}

// TestDeniedInPart: a refusal of the user in one item of a bulk is one of the user.
func TestDeniedInPart(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	c := flat.Collections()[0]
	docs, err := r.s.Page(r.ctx, c, 2, nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	refused := bson.D{{Key: "n", Value: int32(0)}, {Key: "writeErrors", Value: bson.A{part(13)}}, {Key: "ok", Value: 1.0}}
	for command, do := range map[string]func() error{
		"update": func() error { _, err := r.s.Swap(r.ctx, c, renewals(docs)); return err },
		"insert": func() error { return r.s.AppendEntry(r.ctx, store.Entry{Ceremony: 3, Name: "x"}) },
	} {
		r.server.Answer(command, 1, refused)
		if err := do(); !errors.Is(err, store.ErrDenied) {
			t.Errorf("%s: %v", command, err)
		}
	}
}

// TestRolledBack: the id of an insert is taken by a record that the majority does not have, and that is
// rolled back. It is ours then to take, and not another console's.
func TestRolledBack(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	e := store.Entry{Ceremony: 3, Name: "x", Data: []byte("ours\n")}
	taken := bson.D{{Key: "n", Value: int32(0)}, {Key: "writeErrors", Value: bson.A{part(11000)}},
		{Key: "writeConcernError", Value: part(64)[1:]}, {Key: "ok", Value: 1.0}}
	for _, concern := range []bool{true, false} {
		answer := taken
		if !concern {
			answer = slices.Concat(taken[:2], taken[3:])
		}
		r.server.Answer("insert", 2, answer)
		if err := r.s.AppendEntry(r.ctx, e); err != nil {
			t.Errorf("with a write concern error %v: %v", concern, err)
		}
		if err := r.s.AppendEntry(r.ctx, e); !errors.Is(err, store.ErrExists) {
			t.Errorf("once more: %v", err)
		}
		e.Name += "y"
	}
}

// TestPutOffUntilDeadline: a server puts a write off, and the time of the caller ends in the next attempt. What the
// server said is the reason, and not that it was silent.
func TestPutOffUntilDeadline(t *testing.T) {
	t.Parallel()
	server, _, s := faulty(t)
	server.Answer("insert kek_events", 1, mongotest.Failure(11602, "", "the primary steps down"))
	server.Swallow("insert", 1, false)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := s.AppendEntry(ctx, store.Entry{Ceremony: 1, Name: "000000", Data: []byte("a\n")})
	if !errors.Is(err, store.ErrNotReady) || !strings.Contains(err.Error(), "steps down") {
		t.Error(err)
	}
}
