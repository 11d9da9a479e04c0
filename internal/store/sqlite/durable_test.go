package sqlite

import (
	"path/filepath"
	"testing"
)

// TestDurable: on each connection a commit reaches the disk before it is answered (synchronous=FULL, which is 2), and
// nobody who reads waits for who writes (WAL). A machine that does not crash shows no difference.
func TestDurable(t *testing.T) {
	t.Parallel()
	s, err := Create(t.Context(), filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 3 { // each stays open, so that the next is another one
		c, err := s.db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal"} {
			var got string
			if err := c.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %s, %v", pragma, got, err)
			}
		}
	}
}
