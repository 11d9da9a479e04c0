package mongo

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestPace: a reading settles at how much it asks for at once. Where what an answer takes depends on how much it
// has, that is some seconds; where it does not, it is as much as may be.
func TestPace(t *testing.T) {
	for _, c := range []struct {
		name        string
		fixed, each time.Duration // of an answer, and of each record
		size        int           // bytes of a record
		least, most int
	}{
		{"a fast link", time.Millisecond, 100 * time.Microsecond, 1 << 10, 4096, 4096}, // 4 MB
		{"small records", time.Millisecond, 10 * time.Microsecond, 100, maxPortion, maxPortion},
		{"900 KB/s", 10 * time.Millisecond, 18 * time.Millisecond, 16 << 10, 200, 256},
		{"20 KB/s", 10 * time.Millisecond, 800 * time.Millisecond, 16 << 10, 4, 10},
		{"two seconds for any answer", 2 * time.Second, 10 * time.Microsecond, 100, maxPortion, maxPortion},
		{"ten seconds for any answer", 10 * time.Second, 10 * time.Microsecond, 100, firstPortion, firstPortion},
		{"a record that takes ten seconds", 0, 10 * time.Second, 1 << 20, 1, 2},
	} {
		s := &Store{testOnlyAttempt: attempt, testOnlyLongest: longest, testOnlyReach: reach}
		p := s.pace(firstPortion, maxPortion, portionSize)
		p.timed = true
		for range 20 {
			docs := make([]bson.Raw, p.n)
			for i := range docs {
				docs[i] = make(bson.Raw, c.size)
			}
			took := c.fixed + time.Duration(p.n)*c.each
			if took > p.bound {
				p.slower()
				continue
			}
			p.took(docs, took)
		}
		if p.n < c.least || p.n > c.most {
			t.Errorf("%s: %d records at once, want %d to %d", c.name, p.n, c.least, c.most)
		}
	}
}
