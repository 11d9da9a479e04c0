package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// fenceMark is the comment by which our part of a validator is known: nothing else says which is ours.
const fenceMark = "kekceremony fence"

// codeNamespaceNotFound is of MongoDB's error_codes.yml.
const codeNamespaceNotFound = 26

// CanFence implements store.Fence. It asks for a validator of a collection that is not there: a server
// that could set it says that. Of each collection of the catalogue it asks for a change of nothing.
func (s *Store) CanFence(ctx context.Context, cat envelope.Catalogue) error {
	nothing := bson.D{{Key: "collMod", Value: s.own("kek_fence")}, {Key: "validator", Value: bson.D{}}}
	if err := s.mod(ctx, nothing); err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	all, err := s.validators(ctx)
	if err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	for _, v := range all {
		if !inCatalogue(cat, v.collection) {
			continue
		}
		theirs, _, err := v.split(cat)
		if err == nil {
			err = v.joins(theirs)
		}
		if err == nil {
			err = s.mod(ctx, bson.D{{Key: "collMod", Value: v.collection}})
		}
		if err != nil {
			return fmt.Errorf("fence collection %s: %w", printable.Text(v.collection), err)
		}
	}
	return nil
}

// mod runs a command that changes a collection.
func (s *Store) mod(ctx context.Context, change bson.D) error {
	return s.again(ctx, func(ctx context.Context, _ bool) error {
		return fenceable(s.db.RunCommand(ctx, change).Err())
	})
}

// fenceable reads the server's answer. One of a collection that is not there is good: nothing is in it. A server that
// has no such command, or does not take it from this user, sets no fence.
func fenceable(err error) error {
	var answer driver.CommandError
	switch {
	case err == nil, !errors.As(err, &answer), open(err):
		return err
	case answer.Code == codeNamespaceNotFound:
		return nil
	}
	return fmt.Errorf("%w: %s", store.ErrNoFence, printable.Text(answer.Message))
}

// validators are those of the collections of applications.
func (s *Store) validators(ctx context.Context) (all []validator, err error) {
	specs, err := s.collections(ctx)
	for _, c := range specs {
		if c.Type == "view" || s.ours(c.Name) {
			continue
		}
		var o struct {
			Validator        bson.Raw `bson:"validator"`
			ValidationLevel  string   `bson:"validationLevel"`
			ValidationAction string   `bson:"validationAction"`
		}
		if err := bson.Unmarshal(c.Options, &o); len(c.Options) > 0 && err != nil {
			return nil, fmt.Errorf("read validators: %w", err)
		}
		all = append(all, validator{c.Name, some(o.Validator), o.ValidationLevel, o.ValidationAction,
			c.Type == "timeseries"})
	}
	if err != nil {
		return nil, fmt.Errorf("read validators: %w", err)
	}
	return all, nil
}

// Fence implements store.Fence by a validator of each collection, joined with the application's own.
func (s *Store) Fence(ctx context.Context, cat envelope.Catalogue, refused []kek.Version) error {
	all, err := s.validators(ctx)
	if err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	for _, v := range all {
		change, err := v.change(cat, refused)
		if err != nil {
			return fmt.Errorf("fence: %w", err)
		}
		if change == nil {
			continue
		}
		if err := s.mod(ctx, change); err != nil {
			return fmt.Errorf("fence collection %s: %w", printable.Text(v.collection), err)
		}
	}
	return s.changed(ctx, cat, all, refused)
}

// changed looks again at what Fence changed: that it is what was wanted, and that the application's own parts are, byte
// by byte, what they were.
func (s *Store) changed(ctx context.Context, cat envelope.Catalogue, before []validator, refused []kek.Version) error {
	after, err := s.validators(ctx)
	if err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	for _, was := range before {
		i := slices.IndexFunc(after, func(v validator) bool { return v.collection == was.collection })
		if i < 0 {
			continue
		}
		if err := was.became(after[i], cat, refused); err != nil {
			return fmt.Errorf("fence collection %s: %w", printable.Text(was.collection), err)
		}
	}
	return nil
}

// Fenced implements store.Fence.
func (s *Store) Fenced(ctx context.Context, cat envelope.Catalogue) (all []store.Fenced, err error) {
	have, err := s.validators(ctx)
	for _, v := range have {
		if inCatalogue(cat, v.collection) {
			refused, err := v.refused(cat)
			if err != nil {
				return nil, fmt.Errorf("read fence: %w", err)
			}
			all = append(all, store.Fenced{Collection: v.collection, Refused: refused,
				Strict: len(refused) > 0 && v.strict()})
		}
	}
	return all, err
}
