package rewrap_test

import (
	"context"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// TestQueries: a re-wrap on MongoDB asks one query for a page. At the end of a collection it asks one more
// for ids of the same kind and one for those of other kinds, and in a pass that finds nothing one in all:
// however many kinds of ids there are.
func TestQueries(t *testing.T) {
	t.Parallel()
	const n = 66
	server := mongotest.Start(t)
	server.NeedProxy(t)
	db, err := mongo.Open(t.Context(), server.Fresh(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a := written(t, db, n)
	before := server.Seen("find")
	s := &paged{database: db}
	c, err := rewrap.Run(t.Context(), job(s, a.Provider))
	if err != nil || c.Rewrapped != n || c.Passes != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	collections := len(envelope.DefaultCatalogue().Collections())
	most := s.pages + 2*collections + collections
	if got := server.Seen("find") - before; got > most {
		t.Errorf("%d queries for %d pages of %d collections in two passes, want at most %d", got, s.pages, collections, most)
	}
}

// paged counts the pages that had something.
type paged struct {
	database
	pages int
}

func (p *paged) Page(
	ctx context.Context, c envelope.Collection, to kek.Version, after any, limit int,
) ([]store.Document, error) {
	docs, err := p.database.Page(ctx, c, to, after, limit)
	if len(docs) > 0 {
		p.pages++
	}
	return docs, err
}

// TestLateKind: a record whose id is of a kind that the collection did not have appears during the only pass
// that finds something, behind where the pass is. The next pass has it, and the census counts it at once.
func TestLateKind(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	uri := server.Fresh(t)
	db, err := mongo.Open(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a := written(t, db, 12)
	cat := envelope.DefaultCatalogue()
	record := server.Find(t, uri, cat[0].Collection, rehearsedID(t, db, cat[0]))
	late := &lateKind{database: db, do: func() {
		server.ReplaceUnder(t, uri, cat[0].Collection, int32(1), record) // numbers sort before text
		counts, err := db.Census(t.Context(), cat)
		if err != nil || !olderThan(counts, 2) {
			t.Errorf("the census does not have it: %v, %v", counts, err)
		}
	}}
	c, err := rewrap.Run(t.Context(), job(late, a.Provider))
	if err != nil || c.Rewrapped != 13 {
		t.Errorf("%+v, %v", c, err)
	}
	counts, err := db.Census(t.Context(), cat)
	if err != nil || olderThan(counts, 2) {
		t.Errorf("left: %v, %v", counts, err)
	}
}

// rehearsedID is the id of some record.
func rehearsedID(t *testing.T, s store.Store, p envelope.Place) string {
	t.Helper()
	docs, err := s.Page(t.Context(), envelope.Catalogue{p}.Collections()[0], 2, nil, 1)
	if err != nil || len(docs) != 1 {
		t.Fatal(docs, err)
	}
	return docs[0].ID.(interface{ String() string }).String()
}

func olderThan(counts []store.Count, v kek.Version) bool {
	for _, c := range counts {
		if c.Version < v {
			return true
		}
	}
	return false
}

// lateKind does something once, when the first page was swapped.
type lateKind struct {
	database
	do func()
}

func (l *lateKind) Swap(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	took, err := l.database.Swap(ctx, c, swaps)
	if do := l.do; do != nil {
		l.do = nil
		do()
	}
	return took, err
}
