package rewrap

import (
	"time"

	"github.com/certautopilot/kekceremony/internal/provider"
)

func (r *run) enter(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.p.Collection = name
}

// skip counts records that need not be read again.
func (r *run) skip(records int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.p.Skipped += records
}

// halt shows why nothing moves, and stops the clock of the rates.
func (r *run) halt(limit int, state, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.p.Limit, r.p.State, r.p.ETA = limit, state, ETA{Why: "unknown: " + why}
	r.p.PausedBy = r.Control.PausedBy()
	r.began = time.Time{}
	r.Report(r.p)
}

// account counts what became of a page, and takes the time from page to page,
// so that the limit's waits count.
func (r *run) account(b batch, took []bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	done := r.add(b, took)
	now := time.Now()
	if !r.began.IsZero() {
		r.meter.add(now.Sub(r.began), done)
		r.began = now
	}
	if r.p.Limit > 0 {
		if r.next.Before(now.Add(-time.Second)) {
			r.next = now // after a pause there is nothing to catch up
		}
		r.next = r.next.Add(time.Duration(float64(done) / float64(r.p.Limit) * float64(time.Second)))
	}
	r.p.Left = max(0, r.p.Left-done)
	r.p.Workers = provider.Workers(r.Provider)
	r.p.Rate = r.meter.rate()
	if r.p.State == Running {
		r.p.ETA = r.meter.eta(r.p.Left, r.p.Total, r.p.Limit)
	}
	r.Report(r.p)
}

// add counts each envelope of a page once, and returns how many were written.
func (r *run) add(b batch, took []bool) (done int) {
	c := &r.p.Counts
	for i, took := range took { // fewer than all before an error
		n := len(b.swaps[i].New)
		if took {
			c.Rewrapped += n
			done += max(1, n) // of a record whose outer version alone was due, one
		} else {
			c.Conflicts += max(1, n)
			n = max(1, n)
		}
		c.Scanned += n
	}
	c.Current += b.current
	c.Scanned += b.current + first(r.undecryptable, b.undecryptable) + first(r.passed, b.passed)
	c.Undecryptable, c.Excluded = len(r.undecryptable), len(r.passed)
	return done
}

// forget drops what the pass before passed over: somebody may have mended it. The
// last pass meets all that is left.
func (r *run) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &r.p.Counts
	c.Scanned -= c.Undecryptable + c.Excluded
	c.Undecryptable, c.Excluded = 0, 0
	clear(r.undecryptable)
	clear(r.passed)
	c.Passes++
}

// first adds names to a set and returns how many were new.
func first(set map[string]bool, names []string) (n int) {
	for _, name := range names {
		if !set[name] {
			set[name] = true
			n++
		}
	}
	return n
}
