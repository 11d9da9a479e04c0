package mongo_test

import (
	"fmt"
	"math"
	"slices"
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
	s.Attempt(200 * time.Millisecond)
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
		patience = time.Second
		each     = patience / 3
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

// TestEveryKindOfID: a scan and pages find the records of every kind of id, each once, also where one ends
// at NaN, which nothing is greater than.
func TestEveryKindOfID(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	var ids []any
	for i := range 15 {
		ids = append(ids, int32(i), fmt.Sprint("s", i), bson.DateTime(1_700_000_000_000+i))
	}
	ids = append(ids, nil, math.NaN(), math.Inf(-1), true, bson.NewObjectID(), bson.D{{Key: "a", Value: 1}}, []byte("b"),
		bson.Timestamp{T: 1})
	var stored int
	for _, id := range ids {
		record := sealed("", "old")
		record[0].Value = id
		if err := server.TryReplace(t, uri, "kinds", record); err != nil {
			t.Logf("%v is no id to this server: %v", id, err)
			continue
		}
		stored++
	}
	once(t, scanned(t, s, "kinds", func() {}), stored)
	for _, portion := range []int{1, 7, stored, 1000} {
		s.Count(portion)
		counts, err := s.Census(t.Context(), placed("kinds", "f"))
		if err != nil || len(counts) != 1 || counts[0].N != stored {
			t.Errorf("counted by %d: %v, %v", portion, counts, err)
		}
	}
	c := placed("kinds", "f").Collections()[0]
	for _, limit := range []int{1, 7, 500} {
		seen := map[any]int{}
		var after any
		for {
			docs, err := s.Page(t.Context(), c, 2, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range docs {
				seen[fmt.Sprint(d.ID)]++
				after = d.ID
			}
			if len(docs) == 0 {
				break
			}
		}
		once(t, seen, stored)
	}
}

// TestCensusGoesOn: an answer about a portion is lost. The portions before it are not counted again.
func TestCensusGoesOn(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	const n = 100
	fill(t, server, uri, "many", n, 0)
	s.Count(n / 4)
	server.Before("aggregate", func() {
		server.Before("aggregate", func() { server.Cut("aggregate", 1) })
	})
	counts, err := s.Census(t.Context(), placed("many", "f"))
	if err != nil || len(counts) != 1 || counts[0].N != n {
		t.Errorf("%v, %v", counts, err)
	}
	// Four portions, what is left of the kind, the other kinds, ids that have none, and the one lost.
	if got := server.Seen("aggregate"); got != 8 {
		t.Errorf("%d aggregations", got)
	}
}
