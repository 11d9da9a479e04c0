package mongo_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// fill writes records with an envelope in a field and one in an array, and some bytes more.
func fill(t *testing.T, server *mongotest.Server, uri, collection string, n, size int) {
	t.Helper()
	var records []any
	for i := range n {
		records = append(records, append(sealed(fmt.Sprintf("%04d", i), "old"),
			bson.E{Key: "l", Value: bson.A{bson.D{sealed("", "old")[2]}}},
			bson.E{Key: "more", Value: make([]byte, size)}))
	}
	server.Insert(t, uri, collection, records)
}

// scanned counts how often a scan visits each record of a collection.
func scanned(t *testing.T, s store.Store, collection string, visit func()) map[any]int {
	t.Helper()
	seen := map[any]int{}
	err := s.Scan(t.Context(), func(c string, record envelope.Tree) error {
		if c == collection {
			id, _ := record.Field("_id")
			seen[fmt.Sprint(id)]++
			visit()
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return seen
}

func once(t *testing.T, seen map[any]int, n int) {
	t.Helper()
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%v came %d times", id, times)
		}
	}
	if len(seen) != n {
		t.Errorf("%d records, want %d", len(seen), n)
	}
}

// TestSlowLink: what the server would give at once takes longer than an attempt. A scan, a census, a page
// and a swap ask for less, or wait longer, and end.
func TestSlowLink(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	const n = 100
	fill(t, server, uri, "large", n, 16<<10)
	server.Replace(t, uri, "large", bson.D{{Key: "_id", Value: "9999"}, {Key: "more", Value: make([]byte, 2<<20)}})
	s.Hasten(10 * time.Second)
	s.Attempt(400*time.Millisecond, time.Minute)
	server.Slow(4 << 20)
	once(t, scanned(t, s, "large", func() {}), n+1)
	server.Slow(400 << 10)
	cat := placed("large", "f").With(placed("large", "l[].f")...)
	counts, err := s.Census(t.Context(), cat)
	if err != nil || len(counts) != 2 || counts[0].N != n || counts[1].N != n {
		t.Errorf("%v, %v", counts, err)
	}
	c := cat.Collections()[0]
	docs, err := s.Page(t.Context(), c, 2, nil, 4)
	if err != nil || len(docs) != 4 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	if took, err := s.Swap(t.Context(), c, renewals(docs)); err != nil || slices.Contains(took, false) {
		t.Errorf("took %v, %v", took, err)
	}
}

// TestScanGoesOn: each portion of a scan is lost twice. The scan goes on where it was, and its patience
// begins again with each portion: it ends, though all of it takes longer.
func TestScanGoesOn(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	const (
		n        = 400
		patience = 2 * time.Second
		each     = patience / 4
	)
	fill(t, server, uri, "many", n, 0)
	s.Hasten(patience)
	lost := 0
	lose := func() {
		time.Sleep(each)
		server.Cut("find", 1)
		lost++
	}
	twice := func() {
		server.Before("find", func() {
			lose()
			server.Before("find", lose)
		})
	}
	twice()
	i := 0
	seen := scanned(t, s, "many", func() {
		if i++; i%100 == 1 {
			twice()
		}
	})
	once(t, seen, n)
	if time.Duration(lost)*each < 2*patience {
		t.Errorf("%d portions were lost", lost)
	}
}

// kinds fills a collection with records of every kind of id that the server takes, and returns how many.
func kinds(t *testing.T, server *mongotest.Server, uri string) (stored int) {
	t.Helper()
	var ids []any
	for i := range 15 {
		ids = append(ids, int32(i), fmt.Sprint("s", i), bson.DateTime(1_700_000_000_000+i))
	}
	ids = append(ids, nil, math.NaN(), math.Inf(-1), true, bson.NewObjectID(), bson.D{{Key: "a", Value: 1}}, []byte("b"),
		bson.Timestamp{T: 1})
	for _, id := range ids {
		record := sealed("", "old")
		record[0].Value = id
		if err := server.TryReplace(t, uri, "kinds", record); err != nil {
			t.Logf("%v is no id to this server: %v", id, err)
			continue
		}
		stored++
	}
	return stored
}

// paged counts how often pages bring each record of a collection.
func paged(t *testing.T, s store.Store, c envelope.Collection, limit int) map[any]int {
	t.Helper()
	seen := map[any]int{}
	var after any
	for {
		docs, err := s.Page(t.Context(), c, 2, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(docs) == 0 {
			return seen
		}
		for _, d := range docs {
			seen[fmt.Sprint(d.ID)]++
			after = d.ID
		}
	}
}

// TestEveryKindOfID: a scan and pages find the records of every kind of id, each once, also where one ends
// at NaN, which nothing is greater than.
func TestEveryKindOfID(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	stored := kinds(t, server, uri)
	once(t, scanned(t, s, "kinds", func() {}), stored)
	for _, portion := range []int{1, 7, stored, 1000} {
		s.Reach(portion)
		counts, err := s.Census(t.Context(), placed("kinds", "f"))
		if err != nil || len(counts) != 1 || counts[0].N != stored {
			t.Errorf("counted by %d: %v, %v", portion, counts, err)
		}
	}
	for _, limit := range []int{1, 7, 500} {
		once(t, paged(t, s, placed("kinds", "f").Collections()[0], limit), stored)
	}
}

// TestAfterSilence: a server that was silent is asked to look at few records for an answer. A scan, a census
// and pages then find every record, each once.
func TestAfterSilence(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	stored := kinds(t, server, uri)
	s.Attempt(300*time.Millisecond, time.Minute)
	for i, reach := range []int{1, 7} {
		s.Reach(reach)
		for _, silent := range []struct {
			command string
			nth     int
			do      func()
			asked   int // commands for an answer
		}{
			// After the queries of an empty collection, and of its odd ids.
			{"find", 3, func() { once(t, scanned(t, s, "kinds", func() {}), stored) }, 2},
			{"find", 1, func() { once(t, paged(t, s, placed("kinds", "f").Collections()[0], 7), stored) }, 2},
			{"aggregate", 1, func() {
				counts, err := s.Census(t.Context(), placed("kinds", "f"))
				if err != nil || len(counts) != 1 || counts[0].N != stored {
					t.Errorf("%v, %v", counts, err)
				}
			}, 1},
		} {
			before := server.Seen(silent.command)
			server.Swallow(silent.command, silent.nth, i%2 == 0)
			silent.do()
			if n := server.Seen(silent.command) - before; server.Ordered(silent.command) > 0 || n < silent.asked*stored/reach {
				t.Errorf("by %d: %d commands %s", reach, n, silent.command)
			}
		}
	}
}

// TestLargeRecords: a page ends where it is large, however many records it may have, and the next one asks
// for no more than that.
func TestLargeRecords(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	const (
		n     = 40
		limit = 30
	)
	s.PageSize(1 << 20)
	list := bson.D{sealed("", "old")[2], {Key: "more", Value: strings.Repeat("x", 100<<10)}}
	for i := range n {
		server.Replace(t, uri, "large", bson.D{{Key: "_id", Value: fmt.Sprintf("%04d", i)}, {Key: "l", Value: bson.A{list}}})
	}
	var all []store.Document
	var sizes []int
	for last := any(nil); ; last = all[len(all)-1].ID {
		docs, err := s.Page(t.Context(), placed("large", "l[].f").Collections()[0], 2, last, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(docs) == 0 {
			break
		}
		all, sizes = append(all, docs...), append(sizes, len(docs))
	}
	if len(all) != n || len(sizes) < 2 || slices.Max(sizes[1:]) > 10 {
		t.Errorf("%d records in pages of %v", len(all), sizes)
	}
}

// TestLargeBatch: a page ends with the batch with which it is large; the server is not asked for more of it. FerretDB
// gives all in one batch: the proxy answers in its place.
func TestLargeBatch(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	fill(t, server, uri, "large", 1, 0)
	s.PageSize(1 << 20)
	batch := bson.A{}
	for i := range 3 {
		batch = append(batch, append(sealed(fmt.Sprint(i), "old"), bson.E{Key: "more", Value: make([]byte, 400<<10)}))
	}
	server.Answer("find", 1, bson.D{{Key: "ok", Value: 1.0}, {Key: "cursor", Value: bson.D{
		{Key: "id", Value: int64(99)}, {Key: "ns", Value: "x.large"}, {Key: "firstBatch", Value: batch}}}})
	docs, err := s.Page(t.Context(), placed("large", "f").Collections()[0], 2, nil, 100)
	if err != nil || len(docs) != len(batch) || server.Seen("getMore") != 0 {
		t.Errorf("%d records, %d batches more, %v", len(docs), server.Seen("getMore"), err)
	}
}

// TestCensusGoesOn: an answer about a portion is lost. The portions before it are not counted again.
func TestCensusGoesOn(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	const n = 100
	fill(t, server, uri, "many", n, 0)
	s.Reach(n / 4)
	server.Before("aggregate", func() {
		server.Before("aggregate", func() { server.Cut("aggregate", 1) })
	})
	counts, err := s.Census(t.Context(), placed("many", "f"))
	if err != nil || len(counts) != 1 || counts[0].N != n {
		t.Errorf("%v, %v", counts, err)
	}
	// Four portions, what is left of the kind, the other kinds, ids that have none, which FerretDB is asked for
	// in two ways, and the one lost.
	if got := server.Seen("aggregate"); got > 9 {
		t.Errorf("%d aggregations", got)
	}
}

// TestCensusUnplaced: a census in portions, each a range of ids, also counts records whose id has no place in a range.
// FerretDB has no such record: the proxy answers the query for them.
func TestCensusUnplaced(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	const n = 20
	fill(t, server, uri, "many", n, 0)
	s.Reach(n / 4)
	census := func(want int) {
		t.Helper()
		counts, err := s.Census(t.Context(), placed("many", "f"))
		if err != nil || len(counts) != 1 || counts[0].N != want {
			t.Errorf("%v, %v, want %d", counts, err, want)
		}
	}
	census(n) // which finds out how to ask for them
	group := bson.D{{Key: "_id", Value: bson.D{{Key: "inner", Value: 1}, {Key: "outer", Value: 1}}}, {Key: "n", Value: 3}}
	server.Watch(func(q mongotest.Query) {
		if text := q.String(); strings.Contains(text, `"$not"`) || strings.Contains(text, `["array"`) {
			server.Answer("aggregate", 1, answers(group))
		}
	})
	census(n + 3)
}
