package keeper

import (
	"context"
	"errors"
	"sync"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// division is a batch that several processes share.
type division struct {
	items     []provider.Item
	out       []provider.Rewrapped // by the places of the items
	processes int

	mu     sync.Mutex
	taken  int   // items that some process was given
	failed []int // places of what another process than the first could not open
}

// part of a division: the places from one to before another.
type part struct{ from, end int }

// A part has at least so many items, and a share of all: each is a call.
const (
	fewestAtOnce = 8
	fewestShare  = 1. / 32
)

// take is the next part: they become smaller, so that no process waits long for the last.
func (d *division) take() part {
	d.mu.Lock()
	defer d.mu.Unlock()
	from := d.taken
	left := len(d.items) - from
	fewest := max(fewestAtOnce, int(fewestShare*float64(len(d.items))))
	d.taken += min(left, max(fewest, left/(2*d.processes)))
	return part{from, d.taken}
}

// end leaves nothing to take.
func (d *division) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken = len(d.items)
}

// work has a process re-wrap part after part.
func (d *division) work(ctx context.Context, p withPIN, to kek.Name, next part, another bool) error {
	for ; next.from < next.end; next = d.take() {
		answers, err := p.Rewrap(ctx, d.items[next.from:next.end], to)
		if err == nil && len(answers) != next.end-next.from {
			err = errors.New("the provider did not answer for each envelope")
		}
		if err != nil {
			return err
		}
		copy(d.out[next.from:], answers)
		if another {
			d.fail(next.from, answers)
		}
	}
	return nil
}

// fail keeps the places of what a further process could not open.
func (d *division) fail(from int, answers []provider.Rewrapped) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, a := range answers {
		if a.Err != nil {
			d.failed = append(d.failed, from+i)
		}
	}
}
