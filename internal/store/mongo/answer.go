package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// How long a server may be gone, from the first attempt that it did not answer,
// and the bounds of attempts.
const (
	selection = 5 * time.Second  // to find a server that can be written to
	attempt   = 15 * time.Second // of an operation on a few documents
	long      = 30 * time.Minute // of one for which the server reads a whole collection
	pause     = 200 * time.Millisecond
)

var testOnlyPatience = 60 * time.Second

// again does an operation until the server gives an answer, each attempt within
// a bound. do is called again after an error that leaves open whether it
// happened: it must find out.
func (s *Store) again(ctx context.Context, bound time.Duration, do func(ctx context.Context, first bool) error) error {
	var ends time.Time
	for first := true; ; first = false {
		once, cancel := context.WithTimeout(ctx, bound)
		err := do(once, first)
		cancel()
		if ends.IsZero() {
			ends = time.Now().Add(testOnlyPatience)
		}
		if err == nil || !open(err) || ctx.Err() != nil || time.Now().After(ends) {
			return s.safe(err)
		}
		select {
		case <-ctx.Done():
			return s.safe(err)
		case <-time.After(pause):
		}
	}
}

// open reports whether an error leaves open if the operation happened: the
// connection broke (this operation's, or another one's that cleared the pool),
// nobody answered, the majority was not waited for, or the primary moved.
func open(err error) bool {
	if driver.IsNetworkError(err) || driver.IsTimeout(err) {
		return true
	}
	var cleared interface{ Retryable() bool }
	if errors.As(err, &cleared) && cleared.Retryable() {
		return true
	}
	var w driver.WriteException
	if errors.As(err, &w) && w.WriteConcernError != nil {
		return true
	}
	var b driver.BulkWriteException
	if errors.As(err, &b) && b.WriteConcernError != nil {
		return true
	}
	var labeled driver.LabeledError
	return errors.As(err, &labeled) && labeled.HasErrorLabel("RetryableWriteError")
}

// Codes of MongoDB's error_codes.yml.
const (
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
)

// safe makes an error of the driver safe to show and gives it the store's own
// name. The driver's texts quote the server.
func (s *Store) safe(err error) error {
	switch {
	case err == nil, errors.Is(err, store.ErrExists), errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound),
		errors.Is(err, store.ErrNoDatabase), errors.Is(err, store.ErrServer), errors.Is(err, store.ErrSilent),
		errors.Is(err, store.ErrDenied), errors.Is(err, store.ErrNoFence), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, driver.ErrNoDocuments):
		return store.ErrNotFound
	case open(err):
		return fmt.Errorf("%w: %s", store.ErrSilent, printable.Text(s.health.cause(err)))
	}
	var server driver.ServerError
	if errors.As(err, &server) &&
		(server.HasErrorCode(codeUnauthorized) || server.HasErrorCode(codeAuthenticationFailed)) {
		return fmt.Errorf("%w: %s", store.ErrDenied, printable.Text(err.Error()))
	}
	return errors.New(printable.Text(err.Error()))
}

// insert inserts a document under an id that nobody may have. An insert whose
// answer was lost is done again; what is then there is ours if it carries the
// number of this very insert.
func (s *Store) insert(ctx context.Context, collection string, id any, fields bson.D) error {
	c := s.db.Collection(collection)
	mine := bson.NewObjectID()
	doc := append(byID(id), fields...)
	doc = append(doc, bson.E{Key: "insert", Value: mine})
	return s.again(ctx, attempt, func(ctx context.Context, _ bool) error {
		_, err := c.InsertOne(ctx, doc)
		if !driver.IsDuplicateKeyError(err) {
			return err
		}
		var there struct{ Insert bson.RawValue }
		only := options.FindOne().SetProjection(bson.D{{Key: "insert", Value: 1}})
		if err := c.FindOne(ctx, byID(id), only).Decode(&there); err != nil {
			return err
		}
		if have, ok := there.Insert.ObjectIDOK(); !ok || have != mine {
			return store.ErrExists
		}
		return nil
	})
}

// swap updates the one document that is as from says, else it is
// store.ErrConflict. After an answer that was lost, a document that is as to
// says was updated by us.
func (s *Store) swap(ctx context.Context, collection string, from, to bson.D) error {
	c := s.db.Collection(collection)
	id := from[0]
	return s.again(ctx, attempt, func(ctx context.Context, first bool) error {
		r, err := c.UpdateOne(ctx, from, set(to))
		if err != nil || r.MatchedCount == 1 {
			return err
		}
		if first {
			return store.ErrConflict
		}
		err = c.FindOne(ctx, append(bson.D{id}, to...)).Err()
		if errors.Is(err, driver.ErrNoDocuments) {
			return store.ErrConflict
		}
		return err
	})
}

// find decodes one document.
func (s *Store) find(ctx context.Context, collection string, id, into any) error {
	return s.again(ctx, attempt, func(ctx context.Context, _ bool) error {
		return s.db.Collection(collection).FindOne(ctx, byID(id)).Decode(into)
	})
}

// list decodes all documents that match, by _id.
func list[T any](
	ctx context.Context, s *Store, collection string, filter bson.D, more ...options.Lister[options.FindOptions],
) (all []T, err error) {
	err = s.again(ctx, attempt, func(ctx context.Context, _ bool) error {
		byID := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}})
		cursor, err := s.db.Collection(collection).Find(ctx, filter, append(more, byID)...)
		if err != nil {
			return err
		}
		return cursor.All(ctx, &all)
	})
	return all, err
}
