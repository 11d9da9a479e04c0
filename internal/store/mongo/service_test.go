package mongo

import (
	"errors"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/store"
)

// TestDocumentDB: what Amazon DocumentDB's settings may explain is said of it, and nothing else.
func TestDocumentDB(t *testing.T) {
	for _, c := range []struct {
		host string
		err  error
		is   bool
	}{
		{"x.docdb.amazonaws.com:27017", store.ErrWantsTLS, true},
		{"x.DOCDB-elastic.amazonaws.com", store.ErrSilent, true},
		{"x.docdb.amazonaws.com:27017", store.ErrLogin, false},
		{"docdb.amazonaws.com.example.org", store.ErrWantsTLS, false},
	} {
		a := asks(options.Client().ApplyURI("mongodb://" + c.host + "/db"))
		err := a.serviceOf(fmt.Errorf("it: %w", c.err))
		if errors.Is(err, store.ErrDocumentDB) != c.is || !errors.Is(err, c.err) {
			t.Errorf("%s: %v", c.host, err)
		}
	}
}
