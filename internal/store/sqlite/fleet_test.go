package sqlite

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestLiveHeartbeats: the gate of each page reads live processes alone, however many rows stopped ones left.
func TestLiveHeartbeats(t *testing.T) {
	t.Parallel()
	s, err := Create(t.Context(), filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var id, parent, unused int
	var plan string
	row := s.db.QueryRowContext(t.Context(), "EXPLAIN QUERY PLAN "+liveHeartbeats, "2026")
	err = row.Scan(&id, &parent, &unused, &plan)
	if err != nil || !strings.Contains(plan, "SEARCH process_heartbeats USING INDEX process_heartbeats_seen") {
		t.Errorf("plan %q, %v", plan, err)
	}
}
