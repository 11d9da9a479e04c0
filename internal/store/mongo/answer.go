package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// codeNamespaceExists is of MongoDB's error_codes.yml.
const codeNamespaceExists = 48

// safe makes an error of the driver safe to show and gives it the store's own
// name. The driver's texts quote the server.
func (s *Store) safe(err error) error {
	is := func(name error) bool { return errors.Is(err, name) }
	switch {
	case err == nil, errors.Is(err, context.Canceled), slices.ContainsFunc(named, is):
		return err
	case errors.Is(err, driver.ErrNoDocuments):
		return store.ErrNotFound
	}
	if name := s.asked.refused(err); name != nil {
		return fmt.Errorf("%w: %s", name, printable.Text(err.Error()))
	}
	switch {
	case putOff(err):
		return fmt.Errorf("%w: %s", store.ErrNotReady, printable.Text(err.Error()))
	case silent(err):
		return s.health.cause(s.asked, err)
	}
	return errors.New(printable.Text(err.Error()))
}

// named are the store's own errors, which name what happened.
var named = []error{store.ErrExists, store.ErrConflict, store.ErrNotFound, store.ErrNoDatabase, store.ErrServer,
	store.ErrNoFence, store.ErrSecondary, store.ErrCosmos, errRefused, errTooMuch}

// insert inserts a document under an id that nobody may have. An insert whose
// answer was lost is done again; what is then there is ours if it carries the
// number of this very insert.
func (s *Store) insert(ctx context.Context, collection string, id any, fields bson.D) error {
	c := s.db.Collection(collection)
	mine := bson.NewObjectID()
	doc := append(byID(id), fields...)
	doc = append(doc, bson.E{Key: "insert", Value: mine})
	return s.again(ctx, func(ctx context.Context, _ bool) error {
		_, err := c.InsertOne(ctx, doc)
		if !driver.IsDuplicateKeyError(err) {
			return err
		}
		var there struct{ Insert bson.RawValue }
		only := options.FindOne().SetProjection(bson.D{{Key: "insert", Value: 1}})
		switch err := c.FindOne(ctx, byID(id), only).Decode(&there); {
		case errors.Is(err, driver.ErrNoDocuments):
			return errUndecided
		case err != nil:
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
	return s.again(ctx, func(ctx context.Context, first bool) error {
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
	return s.again(ctx, func(ctx context.Context, _ bool) error {
		return s.db.Collection(collection).FindOne(ctx, byID(id)).Decode(into)
	})
}

// collections are those of the database, views among them.
func (s *Store) collections(ctx context.Context) (all []driver.CollectionSpecification, err error) {
	err = s.again(ctx, func(ctx context.Context, _ bool) (err error) {
		all, err = s.db.ListCollectionSpecifications(ctx, bson.D{})
		return err
	})
	return all, err
}
