package mongo

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

type heartbeatDoc struct {
	Process  string `bson:"_id"`
	Role     string
	Host     string
	PID      int `bson:"pid"`
	Provider string
	Current  int
	Epoch    int
	Proofs   map[string]string
	Number   int
	Lease    int64 // nanoseconds
	Binds    bool
	Refusals int
	Started  int64 // nanoseconds: a proof covers them
	Stopped  bool
	Trouble  string
	Seen     time.Time `bson:"seen,omitempty"`
}

// Heartbeat implements store.Fleet. The server writes the time. It is not done again
// after a lost answer: the next heartbeat is.
func (s *Store) Heartbeat(ctx context.Context, b store.Heartbeat) error {
	proofs := bson.D{}
	for v, proof := range b.Proofs {
		proofs = append(proofs, bson.E{Key: v.String(), Value: proof})
	}
	ctx, cancel := context.WithTimeout(ctx, s.testOnlyAttempt)
	defer cancel()
	_, err := s.db.Collection(s.own(heartbeats)).UpdateOne(ctx, byID(b.Process), bson.D{
		{Key: "$set", Value: bson.D{{Key: "role", Value: b.Role}, {Key: "host", Value: b.Host}, {Key: "pid", Value: b.PID},
			{Key: "provider", Value: b.Provider}, {Key: "current", Value: int(b.Current)},
			{Key: "epoch", Value: b.Epoch}, {Key: "proofs", Value: proofs},
			{Key: "number", Value: b.Number}, {Key: "lease", Value: int64(b.Lease)}, {Key: "binds", Value: b.Binds},
			{Key: "refusals", Value: b.Refusals},
			{Key: "started", Value: b.Started.UnixNano()}, {Key: "stopped", Value: b.Stopped},
			{Key: "trouble", Value: b.Trouble}}},
		{Key: "$currentDate", Value: bson.D{{Key: "seen", Value: true}}},
	}, options.UpdateOne().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("write heartbeat of %s: %w", b.Process, s.safe(err))
	}
	return nil
}

// Heartbeats implements store.Fleet.
func (s *Store) Heartbeats(ctx context.Context, since time.Time) ([]store.Heartbeat, error) {
	docs, err := list[heartbeatDoc](ctx, s, s.own(heartbeats),
		bson.D{{Key: "seen", Value: bson.D{{Key: "$gte", Value: since}}}})
	if err != nil {
		return nil, fmt.Errorf("read process_heartbeats: %w", err)
	}
	return read(docs), nil
}

// Silent implements store.Fleet. A document that says nothing of a time is of a silent one.
func (s *Store) Silent(ctx context.Context, since time.Time, after string, limit int) ([]store.Heartbeat, error) {
	kind, name, err := bson.MarshalValue(after)
	if err != nil {
		return nil, err
	}
	silent := query{collection: s.own(heartbeats), filter: bson.D{
		{Key: "seen", Value: notSince(since)},
		{Key: "stopped", Value: bson.D{{Key: "$ne", Value: true}}},
	}}
	docs, err := listFrom[heartbeatDoc](ctx, s, silent, amongThoseAfter(bson.RawValue{Type: kind, Value: name}), limit)
	if err != nil {
		return nil, fmt.Errorf("read process_heartbeats: %w", err)
	}
	return read(docs), nil
}

// Forget implements store.Fleet. What was deleted before a lost answer is not counted.
func (s *Store) Forget(ctx context.Context, since time.Time, but []string) (n int, err error) {
	if but == nil {
		but = []string{} // the server takes no null
	}
	err = s.again(ctx, func(ctx context.Context, _ bool) error {
		result, err := s.db.Collection(s.own(heartbeats)).DeleteMany(ctx, bson.D{{Key: "seen", Value: notSince(since)},
			{Key: "role", Value: bson.D{{Key: "$nin", Value: but}}}})
		if err == nil {
			n = int(result.DeletedCount)
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete from process_heartbeats: %w", err)
	}
	return n, nil
}

func notSince(t time.Time) bson.D {
	return bson.D{{Key: "$not", Value: bson.D{{Key: "$gte", Value: t}}}}
}

// indexHeartbeats has what a gate asks every second read an index.
func (s *Store) indexHeartbeats(ctx context.Context) error {
	return s.again(ctx, func(ctx context.Context, _ bool) error {
		_, err := s.db.Collection(s.own(heartbeats)).Indexes().CreateOne(ctx,
			driver.IndexModel{Keys: bson.D{{Key: "seen", Value: 1}}})
		return err
	})
}

func read(docs []heartbeatDoc) []store.Heartbeat {
	all := make([]store.Heartbeat, len(docs))
	for i, d := range docs {
		all[i] = store.Heartbeat{
			Process:  d.Process,
			Role:     d.Role,
			Host:     d.Host,
			PID:      d.PID,
			Provider: d.Provider,
			Current:  kek.Version(d.Current),
			Epoch:    d.Epoch,
			Lease:    time.Duration(d.Lease),
			Proofs:   map[kek.Version]string{},
			Number:   d.Number,
			Binds:    d.Binds,
			Refusals: d.Refusals,
			Started:  time.Unix(0, d.Started).UTC(),
			Seen:     d.Seen.UTC(),
			Stopped:  d.Stopped,
			Trouble:  d.Trouble,
		}
		for text, proof := range d.Proofs {
			if v, err := strconv.Atoi(text); err == nil {
				all[i].Proofs[kek.Version(v)] = proof
			}
		}
	}
	return all
}
