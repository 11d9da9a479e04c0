package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/certautopilot/kekceremony/internal/store"
)

// Now implements store.Fleet: the clock of the server that writes the time of heartbeats, and of no other.
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.again(ctx, func(ctx context.Context, _ bool) error {
		if s.sharded {
			now, err = s.shardClock(ctx)
			return err
		}
		h, err := s.hello(ctx)
		now = h.LocalTime.UTC()
		return err
	})
	if err != nil {
		return now, fmt.Errorf("read the store's clock: %w", err)
	}
	return now, nil
}

// shardClock asks the shard that has the heartbeats: hello is answered by any router, with its own clock.
// Before the first heartbeat there is no time to compare with, and a router's will do.
func (s *Store) shardClock(ctx context.Context) (now time.Time, err error) {
	local := options.Collection().SetReadConcern(readconcern.Local()) // it reads no record
	cursor, err := s.db.Collection(s.own(heartbeats), local).Aggregate(ctx,
		driver.Pipeline{{{Key: "$collStats", Value: bson.D{}}}})
	var all []struct {
		LocalTime time.Time `bson:"localTime"`
	}
	if err == nil {
		err = cursor.All(ctx, &all)
	}
	var none driver.ServerError
	switch {
	case errors.As(err, &none) && none.HasErrorCode(codeNamespaceNotFound), err == nil && len(all) == 0:
		h, err := s.hello(ctx)
		return h.LocalTime.UTC(), err
	case err != nil:
		return now, err
	case len(all) > 1:
		return now, fmt.Errorf("%s is on %d shards, which have a clock each: %w", heartbeats, len(all), store.ErrServer)
	}
	return all[0].LocalTime.UTC(), nil
}
