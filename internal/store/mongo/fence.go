package mongo

import (
	"bytes"
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

// Codes of MongoDB's error_codes.yml, and of servers that speak its protocol.
const (
	codeNamespaceNotFound = 26
	codeCommandNotFound   = 59
	codeNotImplemented    = 238
)

// CanFence implements store.Fence. It asks for a change of a collection that is not there: a server
// that could do it says that.
func (s *Store) CanFence(ctx context.Context, cat envelope.Catalogue) error {
	err := s.again(ctx, attempt, func(ctx context.Context, _ bool) error {
		return fenceable(s.db.RunCommand(ctx, bson.D{{Key: "collMod", Value: s.own("kek_fence")}}).Err())
	})
	if err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	all, err := s.validators(ctx)
	for _, v := range all {
		if err == nil && inCatalogue(cat, v.collection) {
			err = v.joins()
		}
	}
	return err
}

// fenceable reads the server's answer about a collection that is not there. A server that has no such
// command, or does not take it from this user, sets no fence.
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

// validator is what a collection has of one.
type validator struct {
	collection    string
	whole         bson.Raw // nil: none
	level, action string
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
		all = append(all, validator{c.Name, some(o.Validator), o.ValidationLevel, o.ValidationAction})
	}
	if err != nil {
		return nil, fmt.Errorf("read validators: %w", err)
	}
	return all, nil
}

// joins refuses a validator of an application's with which ours would change what becomes of its
// writes: one that only warns, or is off.
func (v validator) joins() error {
	theirs, _ := split(v.whole)
	if len(theirs) > 0 && (v.action == "warn" || v.level == "off") {
		return fmt.Errorf("collection %s: its own validator refuses nothing: %w", printable.Text(v.collection),
			store.ErrNoFence)
	}
	return nil
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
		err = s.again(ctx, attempt, func(ctx context.Context, _ bool) error {
			return noFence(s.db.RunCommand(ctx, change).Err())
		})
		if err != nil {
			return fmt.Errorf("fence collection %s: %w", printable.Text(v.collection), err)
		}
	}
	return nil
}

// noFence gives an answer that the server has no such command its name.
func noFence(err error) error {
	var answer driver.CommandError
	if errors.As(err, &answer) && (answer.Code == codeCommandNotFound || answer.Code == codeNotImplemented) {
		return fmt.Errorf("%w: %s", store.ErrNoFence, printable.Text(answer.Message))
	}
	return err
}

// change is the command that has a collection refuse some versions, and no others; nil: it does.
func (v validator) change(cat envelope.Catalogue, refused []kek.Version) (bson.D, error) {
	theirs, ours := split(v.whole)
	var want bson.D
	if inCatalogue(cat, v.collection) && len(refused) > 0 {
		want = clause(cat, v.collection, refused)
		if err := v.joins(); err != nil {
			return nil, err
		}
	}
	wantRaw, err := marshal(want)
	if err != nil || bytes.Equal(ours, wantRaw) && (ours == nil || v.refuses()) {
		return nil, err
	}
	whole, level := any(want), v.level
	switch {
	case want == nil && len(theirs) == 0:
		whole, level = bson.D{}, "strict" // as it is where nobody set one
	case want == nil:
		whole = theirs
	case len(theirs) == 0:
		level = "moderate"
	default:
		whole = bson.D{{Key: "$and", Value: bson.A{theirs, want}}}
	}
	command := bson.D{{Key: "collMod", Value: v.collection}, {Key: "validator", Value: whole}}
	if level != "" {
		command = append(command, bson.E{Key: "validationLevel", Value: level})
	}
	if len(theirs) == 0 {
		command = append(command, bson.E{Key: "validationAction", Value: "error"})
	}
	return append(command, bson.E{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}}}), nil
}

// refuses reports whether a write that does not pass the validator is refused.
func (v validator) refuses() bool { return v.action != "warn" && v.level != "off" }

// Fenced implements store.Fence.
func (s *Store) Fenced(ctx context.Context, cat envelope.Catalogue) (all []store.Fenced, err error) {
	have, err := s.validators(ctx)
	for _, v := range have {
		if inCatalogue(cat, v.collection) {
			all = append(all, store.Fenced{Collection: v.collection, Refused: v.refused(cat)})
		}
	}
	return all, err
}

// refused are the versions that a collection's validator refuses, if our part of it is the one that we
// write.
func (v validator) refused(cat envelope.Catalogue) (versions []kek.Version) {
	_, ours := split(v.whole)
	if ours == nil || !v.refuses() {
		return nil
	}
	var read struct {
		Nor []map[string]map[string][]kek.Version `bson:"$nor"`
	}
	if err := bson.Unmarshal(ours, &read); err != nil || len(read.Nor) == 0 {
		return nil
	}
	for _, condition := range read.Nor[0] {
		versions = condition["$in"]
	}
	if raw, err := marshal(clause(cat, v.collection, versions)); err != nil || !bytes.Equal(raw, ours) {
		return nil
	}
	return versions
}

// clause is our part of a collection's validator. A number is equal to one of another type.
func clause(cat envelope.Catalogue, collection string, refused []kek.Version) bson.D {
	var numbers, places bson.A
	for _, v := range slices.Compact(slices.Sorted(slices.Values(refused))) {
		numbers = append(numbers, int32(v))
	}
	for _, p := range cat {
		if p.Collection == collection {
			places = append(places, bson.D{{Key: dotted(p.Path) + "." + p.Parts.KEKVersion,
				Value: bson.D{{Key: "$in", Value: numbers}}}})
		}
	}
	return bson.D{{Key: "$nor", Value: places}, {Key: "$comment", Value: fenceMark}}
}

// split takes our part out of a validator. What is left is the application's, as it wrote it.
func split(whole bson.Raw) (theirs, ours bson.Raw) {
	if comment, ok := whole.Lookup("$comment").StringValueOK(); ok && comment == fenceMark {
		return nil, whole
	}
	parts, ok := whole.Lookup("$and").ArrayOK()
	elements, err := whole.Elements()
	if !ok || err != nil || len(elements) != 1 {
		return whole, nil
	}
	values, err := parts.Values()
	if err != nil {
		return whole, nil
	}
	var rest []bson.Raw
	for _, v := range values {
		part, _ := v.DocumentOK()
		left, found := split(part)
		if found != nil {
			ours = found
		}
		if left = some(left); left != nil || found == nil {
			rest = append(rest, left)
		}
	}
	switch {
	case ours == nil:
		return whole, nil
	case len(rest) == 0:
		return nil, ours
	case len(rest) == 1:
		return rest[0], ours
	}
	theirs, err = marshal(bson.D{{Key: "$and", Value: rest}})
	if err != nil {
		return whole, nil
	}
	return theirs, ours
}

// some is a document, and nil where it is empty.
func some(d bson.Raw) bson.Raw {
	if elements, err := d.Elements(); err == nil && len(elements) == 0 {
		return nil
	}
	return d
}

// marshal is BSON, and nil of nothing.
func marshal(d bson.D) (bson.Raw, error) {
	if d == nil {
		return nil, nil
	}
	return bson.Marshal(d)
}

func inCatalogue(cat envelope.Catalogue, collection string) bool {
	return slices.ContainsFunc(cat, func(p envelope.Place) bool { return p.Collection == collection })
}
