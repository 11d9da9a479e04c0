package mongo

import (
	"errors"
	"sync"
)

// bulks is how pages are written, and places counted.
type bulks struct {
	size   int // updates of a command, at most
	atOnce int // commands under way: a server waits for its disk, and for the majority, once for each
}

// FerretDB 1 has a hundred connections to its SQLite files and keeps one for each update of a command
// until the command ends: a hundred updates wait for each other forever.
var (
	manyBulks = bulks{256, 4}
	oneByOne  = bulks{64, 1} // FerretDB 1, and where a server does not say what it is
)

// allAtOnce does n things, as many at a time as the server takes commands, each by its number. After an error no
// further ones are begun, and those under way are waited for.
func (b bulks) allAtOnce(n int, do func(i int) error) error {
	for first := 0; first < n; first += b.atOnce {
		some := min(b.atOnce, n-first)
		errs := make([]error, some)
		var all sync.WaitGroup
		for i := range some {
			all.Go(func() { errs[i] = do(first + i) })
		}
		all.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// errTooMuch: a bulk had no answer, and it may be too much for one.
var errTooMuch = errors.New("a bulk of updates had no answer")
