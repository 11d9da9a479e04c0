package steps

import (
	"context"
	"errors"
	"testing"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
)

// TestAhead: the fleet is read once for each page, while the one before is written; what fails, or is too old when
// a page is due, is read again before the page; and nothing is read ahead while the fleet is behind.
func TestAhead(t *testing.T) {
	var n kek.Version // readings, each with its number as the target
	answers := make(chan error, 1)
	a := ahead{look: func(context.Context) (fleet.Table, error) {
		n++
		table := fleet.Table{Target: n, Processes: []fleet.Process{{Name: "app", Has: true, Writes: true}}}
		err := <-answers
		if err == errBehind {
			table.Processes[0].Writes, err = false, nil
		}
		return table, err
	}}
	page := func(want kek.Version, err error) {
		t.Helper()
		table, got := a.fleet(t.Context())
		if !errors.Is(got, err) || err == nil && table.Target != want {
			t.Errorf("page: %v and reading %d, not %v and %d", got, table.Target, err, want)
		}
	}
	answers <- nil
	page(1, nil)
	answers <- nil
	page(2, nil)
	answers <- errLooked
	r := a.end()
	a.next = make(chan reading, 1)
	a.next <- r
	answers <- errLooked
	page(4, errLooked)
	answers <- nil
	page(5, nil)
	answers <- nil
	r = a.end()
	r.began = r.began.Add(-2 * freshFor)
	a.next = make(chan reading, 1)
	a.next <- r
	answers <- errBehind
	page(7, nil)
	if a.next != nil {
		t.Error("a fleet that is behind is read ahead")
	}
}

var errLooked, errBehind = errors.New("looked"), errors.New("behind")
