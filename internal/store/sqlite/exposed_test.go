package sqlite

import (
	"context"
	"errors"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/exposure"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// inText is a place of text in JSON.
func inText(collection, path string) envelope.Place {
	p := envelope.At(collection, path)
	p.Bytes, p.Outer = envelope.Base64, ""
	return p
}

// TestExposedAsCounted: a re-wrap sees an envelope, however its table spells it. If the list of what a
// compromised version exposed did not, M would sign that nothing is exposed, and nothing would ever be due.
func TestExposedAsCounted(t *testing.T) {
	t.Parallel()
	const (
		json    = `'{"wrapped_dek": "eA==", "nonce": "eA==", "ciphertext": "eQ==", "kek_version": 1}'`
		columns = ` (id PRIMARY KEY, kek_version, f_wrapped_dek, f_nonce, f_ciphertext, f_kek_version`
		row     = `VALUES (1, 1, x'01', x'02', x'03', 1`
	)
	for _, c := range []struct {
		name       string
		place      envelope.Place
		statements []string
		listed     int
	}{
		{"JSON as bytes", inText("t", "f"), []string{`CREATE TABLE t (id PRIMARY KEY, f)`,
			`INSERT INTO t VALUES (1, CAST(` + json + ` AS BLOB))`}, 1},
		{"a table in another case", inText("t", "f"), []string{`CREATE TABLE T (id PRIMARY KEY, f)`,
			`INSERT INTO T VALUES (1, ` + json + `)`}, 1},
		{"a column in another case", inText("t", "f"), []string{`CREATE TABLE t (id PRIMARY KEY, F)`,
			`INSERT INTO t VALUES (1, ` + json + `)`}, 1},
		{"columns in another case", envelope.At("T", "F"), []string{`CREATE TABLE t` + columns + `)`,
			`INSERT INTO t ` + row + `)`}, 1},
		{"beside an old column of the place's name", envelope.At("t", "f"), []string{`CREATE TABLE t` + columns + `, f)`,
			`INSERT INTO t ` + row + `, 'plain')`}, 1},
		{"a record without an id", inText("t", "f"), []string{`CREATE TABLE t (id PRIMARY KEY, f)`,
			`INSERT INTO t VALUES (NULL, ` + json + `)`}, 1},
		{"JSON that two readers read differently", inText("t", "f"), []string{`CREATE TABLE t (id PRIMARY KEY, f)`,
			`INSERT INTO t VALUES (1, '{"a": 1, "a": 2, "wrapped_dek": "eA==", "kek_version": 1}')`}, 1},
		{"a version as text", inText("t", "f"), []string{`CREATE TABLE t (id PRIMARY KEY, f)`,
			`INSERT INTO t VALUES (1, replace(` + json + `, ': 1}', ': "1"}'))`}, 1},
		{"another outer version", envelope.At("t", "f"), []string{`CREATE TABLE t` + columns + `)`,
			`INSERT INTO t VALUES (1, 1, x'01', x'02', x'03', 2)`}, 1},
		// An application took the secret away: nothing is exposed, and nothing could ever be resealed.
		{"cleared", inText("t", "f"), []string{`CREATE TABLE t (id PRIMARY KEY, f)`,
			`INSERT INTO t VALUES (1, '{"wrapped_dek": null, "nonce": "", "kek_version": 1}')`}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, a := made(t, c.statements...)
			cat := envelope.Catalogue{c.place}
			counts, err := s.Census(t.Context(), cat)
			if err != nil || len(counts) == 0 {
				t.Fatalf("census: %v, %v", counts, err)
			}
			at := exposure.Wanted{At: map[kek.Version]bool{1: true}}
			found, err := exposure.Of(t.Context(), s, cat, at)
			if err != nil || len(found.List) != c.listed || len(found.Places) != c.listed {
				t.Errorf("%d listed, want %d; places %q, %v", len(found.List), c.listed, found.Places, err)
			}
			if left, err := exposure.Left(t.Context(), s, cat, found.List); err != nil || left != c.listed {
				t.Errorf("%d left, want %d, %v", left, c.listed, err)
			}
			if c.listed == 0 {
				return
			}
			if _, err := exposure.Of(t.Context(), blind{s}, cat, at); !errors.Is(err, exposure.ErrFewer) {
				t.Errorf("a list that lacks it: %v", err)
			}
			a.exec(t, `DELETE FROM `+quote(c.place.Collection))
			if left, err := exposure.Left(t.Context(), s, cat, found.List); err != nil || left != 0 {
				t.Errorf("%d left, and nothing is there, %v", left, err)
			}
		})
	}
}

// blind is a store that counts what it does not read.
type blind struct{ *Store }

func (blind) Every(context.Context, envelope.Collection, func(store.Document) error) error {
	return nil
}
