package sqlite

import (
	"bytes"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// TestExchanged: a swap whose old bytes are not those that were read at the place is an error, and nothing of the
// page is written: what was re-wrapped would be another record's data key (promise 3).
func TestExchanged(t *testing.T) {
	t.Parallel()
	s, a := made(t, `CREATE TABLE t (id PRIMARY KEY, kek_version, f_wrapped_dek, f_kek_version)`)
	p := envelope.At("t", "f")
	coll := envelope.Catalogue{p}.Collections()[0]
	deks := [][]byte{bytes.Repeat([]byte{1}, 60), bytes.Repeat([]byte{2}, 60)}
	for i, dek := range deks {
		a.exec(t, `INSERT INTO t VALUES (?, 1, ?, 1)`, i, dek)
	}
	docs, err := s.Page(t.Context(), coll, 2, nil, 10)
	if err != nil || len(docs) != 2 {
		t.Fatal(docs, err)
	}
	var swaps []store.Swap
	for _, d := range docs {
		swaps = append(swaps, store.Swap{Old: d, To: 2,
			New: []store.Held{{Path: "f", Version: 2, WrappedDEK: bytes.Repeat([]byte{9}, 60)}}})
	}
	swaps[1].Old.Envelopes[0].WrappedDEK = deks[0]
	if took, err := s.Swap(t.Context(), coll, swaps); err == nil {
		t.Errorf("%v", took)
	}
	for i, dek := range deks {
		var v kek.Version
		var is []byte
		err := s.db.QueryRow(`SELECT f_kek_version, f_wrapped_dek FROM t WHERE id = ?`, i).Scan(&v, &is)
		if err != nil || v != 1 || !bytes.Equal(is, dek) {
			t.Errorf("record %d: version %d, %x, %v", i, v, is, err)
		}
	}
}
