package mongo

import (
	"context"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// How much a reading asks for at once.
const (
	firstPortion = 32
	maxPortion   = 10_000  // records
	portionSize  = 4 << 20 // bytes, of a search
	pageSize     = 2 << 20 // bytes, of a page, of which five are in memory
	reach        = 100_000 // records that a server looks at for one answer, where it looks at many
)

// pace is how much a reading asks for at once, and how long it waits for the answer. After silence, or where
// the connection broke, it asks for less, and waits longer: of the link, as one record may have 16 MB, and of
// the server, which may look at many records to find one. So an answer comes, or it is not the size that keeps
// it away.
type pace struct {
	n     int  // records of an answer
	first int  // n at first: the time of answers does not bring it below that, silence does
	most  int  // that n may become
	size  int  // bytes that n follows
	timed bool // n follows the time that an answer takes

	reach, farthest int // records that the server looks at for an answer; reach 0: all that are left

	bound, least, longest time.Duration // of an answer: now, at first, at most
}

func (s *Store) pace(n, most, size int) pace {
	return pace{n: n, first: n, most: most, size: size, farthest: s.testOnlyReach,
		bound: s.testOnlyAttempt, least: s.testOnlyAttempt, longest: s.testOnlyLongest}
}

// paced does an operation on many documents until it is answered, each attempt as the pace says, which follows what
// became of it. do returns the documents that it read.
func (s *Store) paced(ctx context.Context, pace *pace, do func(context.Context) ([]bson.Raw, error)) error {
	return s.within(ctx, s.testOnlyLongest, func(ctx context.Context, _ bool) error {
		once, cancel := context.WithTimeout(ctx, pace.bound)
		defer cancel()
		began := time.Now()
		docs, err := do(once)
		pace.after(docs, time.Since(began), err)
		return err
	})
}

// after follows what became of an attempt that took so long.
func (p *pace) after(docs []bson.Raw, d time.Duration, err error) {
	switch {
	case err == nil:
		p.took(docs, d)
	case silent(err):
		p.slower()
	}
}

func (p *pace) slower() {
	p.n, p.bound = max(1, p.n/4), min(2*p.bound, p.longest)
	if p.reach == 0 {
		p.reach = p.farthest
	} else {
		p.reach = max(1, p.reach/4)
	}
}

func (p *pace) took(docs []bson.Raw, d time.Duration) {
	p.bound = min(max(p.least, 4*d), p.longest)
	if p.reach > 0 && d < p.least/8 {
		p.reach = min(4*p.reach, p.farthest)
	}
	switch {
	case !p.timed || d < p.least/15:
		p.n *= 4
	case d < p.least/4: // what an answer takes whatever it has may be most of it
		p.n *= 2
	case d > p.least/2:
		p.n = max(min(p.n, p.first), p.n/2)
	}
	p.n = max(1, min(p.n, p.most))
	if n := len(docs); n > 0 {
		p.n = min(p.n, max(1, p.size*n/sizeOf(docs)))
	}
}

func sizeOf(docs []bson.Raw) (size int) {
	for _, raw := range docs {
		size += len(raw)
	}
	return size
}

// paces are those at which the last page of each collection was read.
type paces struct {
	mu   sync.Mutex
	last map[string]pace
}

// ofPage is the pace for the next page: that of the last one, or another one.
func (p *paces) ofPage(collection string, other pace) pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last, ok := p.last[collection]; ok {
		return last
	}
	return other
}

func (p *paces) keep(collection string, last pace) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last[collection] = last
}
