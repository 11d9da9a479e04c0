package steps

import (
	"testing"
	"time"
)

// TestHostsDay: who removed a key from a host did so on a day that has begun somewhere.
func TestHostsDay(t *testing.T) {
	now := time.Now().UTC()
	for day, good := range map[string]bool{
		now.Format(time.DateOnly): true, "2026-02-01": true, "2026-02-30": false, "yesterday": false,
		now.AddDate(0, 0, 2).Format(time.DateOnly): false,
	} {
		if err := hasBegun(day); (err == nil) != good {
			t.Errorf("%s: %v", day, err)
		}
	}
}
