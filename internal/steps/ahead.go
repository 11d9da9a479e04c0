package steps

import (
	"context"
	"time"

	"github.com/certautopilot/kekceremony/internal/fleet"
)

// freshFor is how long a reading of the fleet allows a page to be written. A page takes a fraction of it.
const freshFor = time.Second

// ahead reads the fleet for each page of a re-wrap while the page before is written. It is of one goroutine.
type ahead struct {
	look func(context.Context) (fleet.Table, error)
	next chan reading // what is under way; nil: nothing
}

// reading is the fleet as it was read.
type reading struct {
	table fleet.Table
	err   error
	began time.Time
}

// fleet is as it was read since the page before was allowed. It is read now if that failed, if it began
// too long ago, and if nothing was allowed.
func (a *ahead) fleet(ctx context.Context) (fleet.Table, error) {
	r := a.end()
	if r.err != nil || time.Since(r.began) > freshFor {
		if r = a.read(ctx); r.err != nil {
			return r.table, r.err
		}
	}
	if r.table.Behind().Why == "" {
		next := make(chan reading, 1)
		go func() { next <- a.read(ctx) }()
		a.next = next
	}
	return r.table, nil
}

func (a *ahead) read(ctx context.Context) reading {
	began := time.Now()
	t, err := a.look(ctx)
	return reading{t, err, began}
}

// end waits for what is under way.
func (a *ahead) end() (r reading) {
	if a.next != nil {
		r, a.next = <-a.next, nil
	}
	return r
}
