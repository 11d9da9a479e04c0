package rewrap_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/seedtest"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// TestForms re-wraps a database that an application made, with secrets in eight places of several
// forms: it opens every one of them afterwards.
func TestForms(t *testing.T) {
	t.Parallel()
	keys := seedtest.Keys{1: bytes.Repeat([]byte{0x11}, 32), 2: bytes.Repeat([]byte{0x22}, 32)}
	for _, c := range []struct {
		name string
		n    int
		open func(t *testing.T) (seedtest.Database, store.Envelopes)
	}{
		{"sqlite", 2000, func(t *testing.T) (seedtest.Database, store.Envelopes) {
			path := filepath.Join(t.TempDir(), "s.db")
			s, err := sqlite.Create(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return seedtest.NewSQLite(t, path), s
		}},
		{"mongo", 80, func(t *testing.T) (seedtest.Database, store.Envelopes) {
			server := mongotest.Start(t)
			uri := server.Fresh(t)
			s, err := mongo.Open(t.Context(), uri)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return mongotest.Application{Server: server, Database: uri}, s
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, s := c.open(t)
			for i := range c.n {
				seedtest.Write(t, db, keys, i, 1+i/8%2)
			}
			j := job(s, twoKeys(t))
			j.Catalogue = seedCatalogue(t)
			counts, err := rewrap.Run(t.Context(), j)
			if err != nil || counts.Rewrapped != c.n/2 || counts.Conflicts+counts.Undecryptable > 0 {
				t.Errorf("%+v, %v", counts, err)
			}
			for i := range c.n {
				if v, err := seedtest.Read(t, db, keys, i); err != nil || v != 2 {
					t.Fatalf("record %d: version %d, %v", i, v, err)
				}
			}
			due, _, err := rewrap.Census(t.Context(), s, j.Catalogue, 2, nil)
			if err != nil || due != 0 {
				t.Errorf("%d are due, %v", due, err)
			}
		})
	}
}

// seedCatalogue is what a configuration with the entries of the seed has.
func seedCatalogue(t *testing.T) envelope.Catalogue {
	t.Helper()
	var c config.Config
	if err := config.Decode([]byte(seedtest.Entries), &c); err != nil {
		t.Fatal(err)
	}
	all, err := c.FullCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
