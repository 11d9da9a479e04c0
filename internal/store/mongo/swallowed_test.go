package mongo_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
)

// TestSwallowed has the network swallow each command of each operation, or its answer, and nothing else: the
// driver's monitor hears the server. The operation goes on by itself, and does what it is for, once.
func TestSwallowed(t *testing.T) {
	t.Parallel()
	const rooms = 4 // side by side, as each waits
	for i := range rooms {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			r.s.Attempt(300*time.Millisecond, 2*time.Second)
			for j, o := range operations {
				if j%rooms == i && o.name != "open the store" { // where silence is an answer
					swallowed(t, r, o)
				}
			}
		})
	}
}

// swallowed does an operation with each of its commands swallowed, in the short form the first of a name.
func swallowed(t *testing.T, r *room, o operation) {
	t.Helper()
	for _, command := range o.commands {
		// What an operation is done a second time for may be an update that looks like ours.
		for nth := 1; nth == 1 || everyFault && command != "update"; nth++ {
			done := (r.n+nth)%2 == 0
			var err error
			for try := 0; try < 3 && (try == 0 || nth == 1 && r.server.Ordered(command) > 0); try++ {
				r.n++
				r.s.Bulks(64, 1) // a busy machine is silent too, and after silence a bulk is smaller
				r.server.Swallow(command, nth, done)
				err = o.do(r)
			}
			if r.server.Ordered(command) > 0 {
				if nth == 1 {
					t.Errorf("%s has no %s", o.name, command)
				}
				r.server.Cut(command, 0)
				break
			}
			if err != nil {
				t.Errorf("%s: %s number %d swallowed, done %v: %v", o.name, command, nth, done, err)
			}
		}
	}
}

// TestSwallowedOnce: what is not tried again ends, and says that the store does not answer. A process whose
// heartbeat is swallowed sends the next one, and a console may have the wrong address.
func TestSwallowedOnce(t *testing.T) {
	t.Parallel()
	const soon = 300 * time.Millisecond
	r := newRoom(t)
	r.s.Attempt(soon, soon)
	beat := func() error { return r.s.Heartbeat(r.ctx, store.Heartbeat{Process: "p"}) }
	opened := func() error {
		s, err := mongo.OpenSoon(r.ctx, r.uri, soon)
		if err == nil {
			err = s.Close()
		}
		return err
	}
	for _, c := range []struct {
		command string
		do      func() error
		want    error
	}{
		{"update", beat, store.ErrSilent},
		{"listCollections", opened, store.ErrSilent},
		{"buildInfo", opened, nil}, // only the size of bulks depends on it
	} {
		r.server.Swallow(c.command, 1, false)
		if err := c.do(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.command, err)
		}
		if r.server.Ordered(c.command) > 0 {
			t.Errorf("no %s", c.command)
		}
		for i := range 20 { // on a busy machine an answer takes longer
			if err := c.do(); err == nil {
				break
			} else if i == 19 {
				t.Errorf("%s again: %v", c.command, err)
			}
		}
	}
}

// TestSlowUpdates: a server is too slow for many updates in one command, and does them late. A page is written in
// parts, and the next one in small bulks from the beginning.
func TestSlowUpdates(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{false, true} {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			t.Parallel()
			server, uri, s := faulty(t)
			const n = 64
			fill(t, server, uri, "things", n, 0)
			s.Attempt(time.Second, time.Minute)
			var large []int
			for to := kek.Version(2); to <= 3; to++ {
				server.Busy("update", 100*time.Millisecond, first)
				docs, err := s.Page(t.Context(), flat.Collections()[0], to, nil, n)
				if err != nil || len(docs) != n {
					t.Fatal(len(docs), err)
				}
				took, err := s.Swap(t.Context(), flat.Collections()[0], renewalsTo(docs, to))
				if err != nil || len(took) != n || slices.Contains(took, false) {
					t.Errorf("took %v, %v", took, err)
				}
				large = append(large, server.Largest())
			}
			if large[1] > large[0]/2 {
				t.Errorf("updates of %v bytes", large)
			}
		})
	}
}
