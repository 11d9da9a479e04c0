package mongo_test

import (
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// TestExplain has the server say how it answers each hot query of docs/mongodb.md, as the store asks it. With -v it
// shows the plans.
func TestExplain(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	n := 100
	if mongotest.Named() {
		n = 20_000 // a planner minds how many there are
	}
	fill(t, server, uri, "things", n, 0)
	var dead, lines []any
	for i := range n / 10 {
		dead = append(dead, bson.D{{Key: "_id", Value: fmt.Sprint("host/", i)}, {Key: "seen", Value: bson.DateTime(i)}})
		lines = append(lines, bson.D{{Key: "_id", Value: fmt.Sprintf("2/%06d", i)}, {Key: "data", Value: "line"}})
	}
	server.Insert(t, uri, "process_heartbeats", dead)
	server.Insert(t, uri, "kek_events", lines)
	if err := s.OpenCeremony(t.Context(), store.Ceremony{Seq: 1}); err != nil { // with it, the index
		t.Fatal(err)
	}
	c := flat.Collections()[0]
	var page []store.Document
	read := func(after any) (err error) {
		page, err = s.Page(t.Context(), c, 2, after, 50)
		return err
	}
	swap := func() error {
		_, err := s.Swap(t.Context(), c, renewals(page))
		return err
	}
	count := func() error {
		_, err := s.Census(t.Context(), flat)
		return err
	}
	for _, o := range []struct {
		name string
		do   func() error
	}{
		{"a first page", func() error { return read(nil) }},
		{"a page", func() error { return read(page[len(page)-1].ID) }},
		{"an update of a bulk", swap},
		{"reading back", swap},
		{"a search", func() error { _, err := s.Strangers(t.Context(), flat); return err }},
		{"a census", count},
		{"a census in portions", func() error { s.Reach(n / 2); return count() }},
		{"the gate", func() error { _, err := s.Heartbeats(t.Context(), time.Now()); return err }},
		{"the log of a ceremony", func() error { _, err := s.Entries(t.Context(), 2); return err }},
	} {
		var asked []mongotest.Query
		server.Watch(func(q mongotest.Query) { asked = append(asked, q) })
		err := o.do()
		server.Watch(nil)
		if err != nil || len(asked) == 0 {
			t.Fatalf("%s: %d queries, %v", o.name, len(asked), err)
		}
		for _, q := range asked {
			plan := server.Explain(t, uri, q)
			if plan == "" {
				t.Errorf("%s: no plan of %v", o.name, q)
			}
			t.Logf("%s: %v\n\t%s", o.name, q, plan)
		}
	}
}
