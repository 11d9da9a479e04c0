package mongo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// refusals are of one version, one of each process.
const refusals = 200

// logged fills a database with events of a ceremony, among those of others, with processes of which half
// are silent, and with refusals, the newest epoch first. It returns the time between.
func logged(t *testing.T, server *mongotest.Server, uri string, events, processes int) (since time.Time) {
	t.Helper()
	since = time.Now().UTC().Truncate(time.Second)
	var entries, rows, refused []any
	for i := range events {
		entries = append(entries, bson.D{{Key: "_id", Value: fmt.Sprintf("1/%06d", i)},
			{Key: "data", Value: fmt.Sprintf("line %060d\n", i)}})
	}
	for _, other := range []string{"2/000000", "10/000000"} {
		entries = append(entries, bson.D{{Key: "_id", Value: other}, {Key: "data", Value: "of another ceremony\n"}})
	}
	for i := range processes {
		rows = append(rows,
			bson.D{{Key: "_id", Value: fmt.Sprintf("live/%06d", i)}, {Key: "seen", Value: since.Add(time.Second)}},
			bson.D{{Key: "_id", Value: fmt.Sprintf("silent/%06d", i)}, {Key: "seen", Value: since.Add(-time.Second)}})
	}
	for i := range refusals {
		refused = append(refused, bson.D{{Key: "_id", Value: fmt.Sprintf("1/%06d", i)}, {Key: "version", Value: 1},
			{Key: "process", Value: fmt.Sprintf("%06d", i)}, {Key: "role", Value: fmt.Sprintf("%0100d", 0)},
			{Key: "epoch", Value: refusals - i}})
	}
	server.Insert(t, uri, "kek_refusals", refused)
	server.Insert(t, uri, "kek_events", entries)
	server.Insert(t, uri, "process_heartbeats", rows)
	return since
}

// TestListGoesOn: the connection breaks in the middle of every answer that has much of a list. The list asks
// for less, goes on where it was, and has all of it, each once and in order.
func TestListGoesOn(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	since := logged(t, server, uri, events, processes)
	s.Hasten(20 * time.Second)
	server.Fragile(fragile)
	server.Slow(listRate)
	ordered := func(name string, n, all int, err error, id func(int) string) {
		if err != nil || n != all {
			t.Errorf("%s: %d, want %d: %v", name, n, all, err)
		}
		for i := range n {
			if want := fmt.Sprintf("%06d", i); id(i) != want {
				t.Fatalf("%s: %s, want %s", name, id(i), want)
			}
		}
	}
	before := server.Seen("find")
	entries, err := s.Entries(t.Context(), 1)
	ordered("entries", len(entries), events, err, func(i int) string { return entries[i].Name })
	t.Logf("%d events in %d queries", events, server.Seen("find")-before)
	live, err := s.Heartbeats(t.Context(), since)
	ordered("live", len(live), processes, err, func(i int) string { return live[i].Process[len("live/"):] })
	silent, err := s.Silent(t.Context(), since, "", processes)
	ordered("silent", len(silent), processes, err, func(i int) string { return silent[i].Process[len("silent/"):] })
	refused, err := s.Refusals(t.Context(), 1)
	ordered("refusals", len(refused), refusals, err, func(i int) string { return refused[i].Process })
	silent, err = s.Silent(t.Context(), since, silent[2].Process, 40)
	if err != nil || len(silent) != 40 || silent[0].Process != "silent/000003" {
		t.Errorf("%d silent ones after the third, %v", len(silent), err)
	}
}

// TestBrokenAnswers: where every answer breaks off, the store does not answer. It is not the server's protocol:
// that is known.
func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	server.Replace(t, uri, "kek_events",
		bson.D{{Key: "_id", Value: "1/000000"}, {Key: "data", Value: strings.Repeat("x", 4<<10)}})
	s.Hasten(100 * time.Millisecond)
	server.Fragile(2 << 10) // not those of the monitor
	if _, err := s.Entries(t.Context(), 1); !errors.Is(err, store.ErrSilent) {
		t.Error(err)
	}
}
