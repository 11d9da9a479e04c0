package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// operation is what a store is asked, with the commands that it consists of. It is done with other
// numbers each time, and says whether the outcome is right.
type operation struct {
	name     string
	commands []string
	do       func(*room) error
}

// room is a store behind the proxy, and what operations find there.
type room struct {
	ctx    context.Context
	server *mongotest.Server
	uri    string
	s      *mongo.Store
	n      int // of the operation, and so of what it makes
}

var (
	flat    = placed("things", "f")
	inArray = placed("lists", "l[].f")
	theirs  = store.Pointer{Collection: "settings", Field: "active"}
)

func placed(collection, path string) envelope.Catalogue {
	return envelope.Catalogue{envelope.At(collection, path)}
}

const (
	lines = 150 // more than a list asks for at once
	many  = 40  // more than a batch has of records that are read back
)

// newRoom fills a database. The first numbers are its own.
func newRoom(t *testing.T) *room {
	t.Helper()
	server, uri, s := faulty(t)
	s.Hasten(time.Minute)
	r := &room{t.Context(), server, uri, s, 1}
	server.Replace(t, uri, "things", sealed("a", "old"))
	server.Replace(t, uri, "lists", bson.D{{Key: "_id", Value: "a"}, {Key: "kek_version", Value: int32(1)},
		{Key: "l", Value: bson.A{sealed("x", "old")}}})
	server.Replace(t, uri, "settings", bson.D{{Key: "_id", Value: "only"}, {Key: "active", Value: int32(1)}})
	server.Replace(t, uri, "other_install", bson.D{{Key: "_id", Value: "singleton"},
		{Key: "chain", Value: "0123456789abcdef0123456789abcdef"}})
	for _, err := range []error{
		s.MoveActive(r.ctx, store.Active{}, store.Active{Version: 1, Epoch: 1}),
		s.InsertKEK(r.ctx, store.KEK{Version: 1, State: store.Live}),
		s.OpenCeremony(r.ctx, store.Ceremony{Seq: 1}),
		s.InsertVoid(r.ctx, store.Void{Chain: "void", Ceremony: store.Ceremony{Seq: 7},
			Entries: []store.Entry{{Ceremony: 7, Name: "000000"}}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range many {
		server.Replace(t, uri, "many", sealed(fmt.Sprint(i), "old"))
	}
	for i := range lines {
		server.Replace(t, uri, "kek_events",
			bson.D{{Key: "_id", Value: fmt.Sprintf("1/%06d", i)}, {Key: "data", Value: "line"}})
	}
	return r
}

// want is an error where a value is another one.
func want[T comparable](err error, got, want T) error {
	if err == nil && got != want {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return err
}

// second is what an operation answers that is done once more.
func second(err, again, want error) error {
	if err == nil && !errors.Is(again, want) {
		return fmt.Errorf("once more: %w", again)
	}
	return err
}

var operations = []operation{
	{"append an entry", []string{"insert", "find"}, func(r *room) error {
		e := store.Entry{Ceremony: 2, Name: fmt.Sprint(r.n), Data: []byte("x\n")}
		return second(r.s.AppendEntry(r.ctx, e), r.s.AppendEntry(r.ctx, e), store.ErrExists)
	}},
	{"open and close a ceremony", []string{"insert", "find", "createIndexes", "update"}, func(r *room) error {
		c := store.Ceremony{Seq: r.n, Outcome: "done"}
		err := r.s.OpenCeremony(r.ctx, c)
		err = second(err, r.s.OpenCeremony(r.ctx, c), store.ErrExists)
		return errors.Join(err, r.s.CloseCeremony(r.ctx, c), r.s.CloseCeremony(r.ctx, c))
	}},
	{"insert a version, and retire it", []string{"insert", "update"}, func(r *room) error {
		v := kek.Version(r.n)
		err := r.s.InsertKEK(r.ctx, store.KEK{Version: v, State: store.Live})
		err = errors.Join(err, r.s.MoveKEK(r.ctx, v, store.Live, store.Retired))
		return second(err, r.s.MoveKEK(r.ctx, v, store.Live, store.Retired), store.ErrConflict)
	}},
	{"move the pointer", []string{"find", "update"}, func(r *room) error {
		is, err := r.s.Active(r.ctx)
		to := store.Active{Version: 2, Epoch: is.Epoch + 1}
		return second(errors.Join(err, r.s.MoveActive(r.ctx, is, to)), r.s.MoveActive(r.ctx, is, to), store.ErrConflict)
	}},
	{"count wraps", []string{"findAndModify", "find"}, func(r *room) error {
		n, err := r.s.ReserveWraps(r.ctx, kek.Version(r.n), 10)
		all, err2 := r.s.Wraps(r.ctx)
		return want(errors.Join(err, err2), n >= 10 && all[kek.Version(r.n)] == n, true)
	}},
	{"give an install up", []string{"insert", "createIndexes", "find", "delete"}, func(r *room) error {
		v := store.Void{Chain: kek.Chain(fmt.Sprint(r.n)), Ceremony: store.Ceremony{Seq: r.n}}
		err := errors.Join(r.s.OpenCeremony(r.ctx, v.Ceremony), r.s.InsertVoid(r.ctx, v), r.s.DeleteVoid(r.ctx, v.Chain))
		return errors.Join(err, r.s.OpenCeremony(r.ctx, v.Ceremony))
	}},
	{"read the records of ceremonies", []string{"find"}, func(r *room) error {
		entries, err := r.s.Entries(r.ctx, 1)
		keks, err2 := r.s.KEKs(r.ctx)
		all, err3 := r.s.Ceremonies(r.ctx)
		voids, err4 := r.s.Voids(r.ctx)
		return want(errors.Join(err, err2, err3, err4),
			len(entries) == lines && len(keks) > 0 && len(all) > 0 && len(voids) > 0, true)
	}},
	{"refuse", []string{"update", "find"}, func(r *room) error {
		err := r.s.Refuse(r.ctx, "p", "api", kek.Version(r.n), 1)
		all, err2 := r.s.Refusals(r.ctx, kek.Version(r.n))
		return want(errors.Join(err, err2), len(all), 1)
	}},
	{"read and forget heartbeats", []string{"find", "delete"}, func(r *room) error {
		_, err := r.s.Heartbeats(r.ctx, time.Time{})
		_, err2 := r.s.Silent(r.ctx, time.Now(), "", 10)
		_, err3 := r.s.Forget(r.ctx, time.Time{}, nil)
		return errors.Join(err, err2, err3)
	}},
	{"count envelopes", []string{"listCollections", "count", "aggregate", "find"}, func(r *room) error {
		counts, err := r.s.Census(r.ctx, flat.With(inArray...))
		n := 0
		for _, c := range counts {
			n += c.N
		}
		return want(err, n, 2)
	}},
	{"look for envelopes", []string{"listCollections", "find"}, func(r *room) error {
		places, err := r.s.Strangers(r.ctx, flat.With(placed("many", "f")...))
		return want(err, len(places), 1)
	}},
	{"read a page, and swap it", []string{"find", "update"}, func(r *room) error {
		to := kek.Version(r.n)
		docs, err := r.s.Page(r.ctx, flat.Collections()[0], to, nil, 10)
		if err = want(err, len(docs), 1); err != nil {
			return err
		}
		held := store.Held{Path: "f", Version: to, WrappedDEK: fmt.Append(nil, r.n)}
		took, err := r.s.Swap(r.ctx, flat.Collections()[0],
			[]store.Swap{{Old: docs[0], To: to, New: []store.Held{held}}})
		return want(err, len(took) == 1 && took[0], true)
	}},
	{"read back a page that was swapped", []string{"find", "getMore", "update"}, func(r *room) error {
		c := placed("many", "f").Collections()[0]
		docs, err := r.s.Page(r.ctx, c, kek.Version(r.n), nil, many)
		swaps := make([]store.Swap, len(docs))
		for i, d := range docs {
			held := store.Held{Path: "f", Version: kek.Version(r.n), WrappedDEK: fmt.Append(nil, r.n)}
			swaps[i] = store.Swap{Old: d, To: held.Version, New: []store.Held{held}}
		}
		_, err2 := r.s.Swap(r.ctx, c, swaps)
		took, err3 := r.s.Swap(r.ctx, c, swaps) // finds nothing to update
		return want(errors.Join(err, err2, err3), len(took) == many && !slices.Contains(took, false), true)
	}},
	{"move the application's pointer", []string{"find", "update"}, func(r *room) error {
		is, err := r.s.TheirActive(r.ctx, theirs)
		return errors.Join(err, r.s.MoveTheirActive(r.ctx, theirs, is, is+1))
	}},
	{"look for another lock", []string{"listCollections", "find"}, func(r *room) error {
		_, name, err := r.s.OtherLock(r.ctx)
		return want(err, name, "other_install")
	}},
	{"look for records of ours", []string{"find"}, func(r *room) error {
		name, err := r.s.Occupied(r.ctx)
		return want(err, name, "kek_events")
	}},
	{"look at the fence", []string{"listCollections"}, func(r *room) error {
		all, err := r.s.Fenced(r.ctx, flat)
		return want(err, len(all), 1)
	}},
	{"ask for a fence, and set it", []string{"listCollections", "collMod"}, func(r *room) error {
		err := r.s.CanFence(r.ctx, flat)
		if err == nil || errors.Is(err, store.ErrNoFence) { // not FerretDB
			err = r.s.Fence(r.ctx, flat, []kek.Version{kek.Version(r.n + 10_000)})
		}
		if errors.Is(err, store.ErrNoFence) {
			return nil
		}
		return err
	}},
	{"read the clock", []string{"hello"}, func(r *room) error {
		now, err := r.s.Now(r.ctx)
		return want(err, now.IsZero(), false)
	}},
	{"make a collection", []string{"create"}, func(r *room) error {
		return r.s.CreateCollection(r.ctx, envelope.Collection{Name: fmt.Sprint("c", r.n)})
	}},
	{"put and get", []string{"update", "find"}, func(r *room) error {
		place, id := envelope.At("put", "f"), fmt.Sprint(r.n)
		err := r.s.Put(r.ctx, place, map[string]envelope.Envelope{id: {KEKVersion: 3}})
		e, err2 := r.s.Get(r.ctx, place, id)
		return want(errors.Join(err, err2), e.KEKVersion, 3)
	}},
	{"open the store", []string{"hello", "buildInfo", "listCollections"}, func(r *room) error {
		s, err := mongo.Open(r.ctx, r.uri)
		if err == nil {
			err = s.Close()
		}
		return err
	}},
}
