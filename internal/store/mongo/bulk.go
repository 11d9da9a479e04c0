package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
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

// bulksOf is what a server takes, by its version.
func (s *Store) bulksOf(ctx context.Context) bulks {
	var info struct {
		Version  string
		FerretDB string `bson:"ferretdbVersion"`
	}
	err := s.again(ctx, func(ctx context.Context, _ bool) error {
		return s.db.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&info)
	})
	if err != nil || info.Version == "" || strings.HasPrefix(info.FerretDB, "v1.") || info.FerretDB == "unknown" {
		return oneByOne
	}
	return manyBulks
}

// errTooMuch: a bulk had no answer, and it may be too much for one.
var errTooMuch = errors.New("a bulk of updates had no answer")

// Swap implements store.Envelopes by unordered bulks of updates, each a compare-and-swap of one record. After
// an error in one of them no further one is begun, and those under way are waited for.
func (s *Store) Swap(ctx context.Context, c envelope.Collection, swaps []store.Swap) (took []bool, err error) {
	for len(swaps) > 0 && err == nil {
		size := s.bulkSize()
		n := min(len(swaps), size*s.bulks.atOnce)
		each := slices.Collect(slices.Chunk(swaps[:n], size))
		answers := make([][]bool, len(each))
		err = s.bulks.allAtOnce(len(each), func(i int) (err error) {
			answers[i], err = s.oneBulk(ctx, c, each[i])
			return err
		})
		for _, answer := range answers {
			if answer == nil { // an error's; a swap is told by its place
				break
			}
			took = append(took, answer...)
		}
		swaps = swaps[n:]
	}
	return took, err
}

// bulkSize is how many updates a bulk has now.
func (s *Store) bulkSize() int {
	if n := int(s.fewer.Load()); n > 0 {
		return min(n, s.bulks.size)
	}
	return s.bulks.size
}

// update writes a bulk, and says how many records it found. After silence, the bulk is written in parts, as it may
// be too much for one answer; what took effect the first time is not found by them. The next bulks are smaller.
func (s *Store) update(
	ctx context.Context, c envelope.Collection, swaps []store.Swap, models []driver.WriteModel,
) (matched int64, err error) {
	began := time.Now()
	err = s.again(ctx, func(ctx context.Context, _ bool) error {
		r, err := s.db.Collection(c.Name).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		switch {
		case err == nil:
			matched = r.MatchedCount
		case driver.IsTimeout(err) && len(models) > 1:
			return errTooMuch
		}
		return s.refusedUpdate(err, swaps)
	})
	if !errors.Is(err, errTooMuch) {
		if err == nil && len(models) >= s.bulkSize() && time.Since(began) < s.testOnlyAttempt/4 {
			s.fewer.Store(int64(2 * len(models)))
		}
		return matched, err
	}
	part := max(1, len(models)/4)
	s.fewer.Store(int64(part))
	for i := 0; i < len(models); i += part {
		end := min(i+part, len(models))
		n, err := s.update(ctx, c, swaps[i:end], models[i:end])
		if matched += n; err != nil {
			return matched, err
		}
	}
	return matched, nil
}

// refusedUpdate names the record whose update the server refuses by itself. A refusal of the user is of
// all of them.
func (s *Store) refusedUpdate(err error, swaps []store.Swap) error {
	var all driver.BulkWriteException
	if !errors.As(err, &all) || len(all.WriteErrors) == 0 || open(err) || s.asked.refused(err) != nil {
		return err
	}
	w := all.WriteErrors[0]
	return fmt.Errorf("record %s: the server refuses the update: %s", swaps[w.Index].Old.ID, w.Message)
}
