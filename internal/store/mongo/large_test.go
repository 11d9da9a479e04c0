//go:build torture

package mongo_test

import (
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// TestSlowLinkLong has a store with its own bounds behind a link of 900 KB/s do all that a re-wrap does: with some
// hundred records of 16 KB, and with one of 15 MB of which 7 MB are in an array. FerretDB 1 reads a collection whole
// for each update: with thousands of such records it takes minutes for a bulk, and goes on when nobody waits.
func TestSlowLinkLong(t *testing.T) {
	for _, c := range []struct {
		name string
		n    int
		fill func(t *testing.T, server *mongotest.Server, uri string)
	}{
		{"400 records", 400, func(t *testing.T, server *mongotest.Server, uri string) {
			fill(t, server, uri, "large", 400, 16<<10)
		}},
		{"one large record", 1, func(t *testing.T, server *mongotest.Server, uri string) {
			record := append(sealed("one", "old"), bson.E{Key: "more", Value: make([]byte, 8<<20)},
				bson.E{Key: "l", Value: bson.A{"no object", bson.D{sealed("", "old")[2],
					{Key: "more", Value: make([]byte, 7<<20)}}}})
			server.Replace(t, uri, "large", record)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, uri, s := faulty(t)
			c.fill(t, server, uri)
			server.Slow(900 << 10)
			timed := func(what string, do func()) {
				began, finds := time.Now(), server.Seen("find")
				do()
				t.Logf("%s: %s, %d queries", what, time.Since(began).Round(time.Second), server.Seen("find")-finds)
			}
			timed("search", func() { once(t, scanned(t, s, "large", func() {}), c.n) })
			cat := placed("large", "f").With(placed("large", "l[].f")...)
			timed("census", func() {
				counts, err := s.Census(t.Context(), cat)
				if err != nil || len(counts) != 2 || counts[0].N != c.n || counts[1].N != c.n {
					t.Errorf("%v, %v", counts, err)
				}
			})
			timed("re-wrap", func() { rewrapped(t, s, cat.Collections()[0], c.n) })
		})
	}
}

// rewrapped reads pages until there is none, and swaps them.
func rewrapped(t *testing.T, s *mongo.Store, c envelope.Collection, n int) {
	t.Helper()
	var last any
	for {
		docs, err := s.Page(t.Context(), c, 2, last, 1024)
		if err != nil {
			t.Fatal(err)
		}
		if len(docs) == 0 {
			break
		}
		n, last = n-len(docs), docs[len(docs)-1].ID
		for range 2 { // the second finds nothing to update, and reads back
			if took, err := s.Swap(t.Context(), c, renewals(docs)); err != nil || slices.Contains(took, false) {
				t.Fatalf("took %v, %v", took, err)
			}
		}
	}
	if n != 0 {
		t.Errorf("%d records were not read", n)
	}
}
