package mongo

import (
	"bytes"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// validator is what a collection has of one.
type validator struct {
	collection    string
	whole         bson.Raw // nil: none
	level, action string
	series        bool // a time series, which can have none
}

// joins refuses a validator of an application's with which ours would change what becomes of its
// writes: one that only warns, or is off. It refuses a collection that can have none.
func (v validator) joins(theirs bson.Raw) error {
	switch {
	case v.series:
		return fmt.Errorf("collection %s: a time series has no validator: %w", printable.Text(v.collection), store.ErrNoFence)
	case len(theirs) > 0 && (v.action == "warn" || v.level == "off"):
		return fmt.Errorf("collection %s: its own validator refuses nothing: %w", printable.Text(v.collection),
			store.ErrNoFence)
	}
	return nil
}

// change is the command that has a collection refuse some versions, and no others; nil: it does.
func (v validator) change(cat envelope.Catalogue, refused []kek.Version) (bson.D, error) {
	theirs, ours, err := v.split(cat)
	if err != nil {
		return nil, err
	}
	var want bson.D
	if inCatalogue(cat, v.collection) && len(refused) > 0 {
		want = clause(cat, v.collection, refused)
		if err := v.joins(theirs); err != nil {
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
	return append(command, durable), nil
}

// became demands that a validator, changed by the command of change, is what that asked for.
func (v validator) became(now validator, cat envelope.Catalogue, refused []kek.Version) error {
	theirs, _, err := v.split(cat)
	if err != nil {
		return err
	}
	left, _, err := now.split(cat)
	if err != nil {
		return err
	}
	due, err := now.change(cat, refused)
	if err == nil && (due != nil || !bytes.Equal(left, theirs)) {
		err = fmt.Errorf("its validator is %s: %w", printable.Text(now.whole.String()), store.ErrConflict)
	}
	return err
}

// strict reports whether a document is judged whole, whatever a write changes. It is a server's default.
func (v validator) strict() bool { return v.level == "" || v.level == "strict" }

// refuses reports whether a write that does not pass the validator is refused.
func (v validator) refuses() bool { return v.action != "warn" && v.level != "off" }

// refused are the versions that a collection's validator refuses, if our part of it is the one that we
// write.
func (v validator) refused(cat envelope.Catalogue) (versions []kek.Version, err error) {
	_, ours, err := v.split(cat)
	if err != nil || ours == nil || !v.refuses() {
		return nil, err
	}
	for _, name := range versionsIn(cat, v.collection)[:1] { // each place refuses the same
		numbers, _ := ours.Lookup("$nor", "0", name, "$in").ArrayOK()
		values, _ := numbers.Values()
		for _, number := range values {
			if v := versionOf(number); v != 0 {
				versions = append(versions, v)
			}
		}
	}
	if raw, err := marshal(clause(cat, v.collection, versions)); err != nil || !bytes.Equal(raw, ours) {
		return nil, err
	}
	return versions, nil
}

// clause is our part of a collection's validator. A number is equal to one of another type. What is no number may be
// any version, and is refused with them; so is a wrapped DEK that has none, but in an array, where the server does not
// look at each element by itself.
func clause(cat envelope.Catalogue, collection string, refused []kek.Version) bson.D {
	var numbers, never bson.A
	for _, v := range slices.Compact(slices.Sorted(slices.Values(refused))) {
		numbers = append(numbers, int32(v))
	}
	for _, p := range cat {
		if p.Collection != collection {
			continue
		}
		version := dotted(p.Path) + "." + p.Parts.KEKVersion
		never = append(never, bson.D{{Key: version, Value: bson.D{{Key: "$in", Value: numbers}}}},
			bson.D{{Key: version, Value: bson.D{{Key: "$type", Value: noNumbers}}}})
		if !p.HasArrays() {
			wrapped := bson.D{{Key: "$exists", Value: true}, {Key: "$ne", Value: nil}}
			never = append(never, bson.D{{Key: dotted(p.Path) + "." + p.Parts.WrappedDEK, Value: wrapped},
				{Key: version, Value: nil}})
		}
	}
	return bson.D{{Key: "$nor", Value: never}, {Key: "$comment", Value: fenceMark}}
}

// noNumbers are the types in which a version may stand that no census reads.
var noNumbers = bson.A{"string", "object", "array", "binData", "bool"}

// split takes our part out of a validator. What is left is the application's, as it wrote it. It returns
// store.ErrFenceMixed where a part of ours is left in that: to take it for theirs would keep it for good, and to take
// all for ours would delete theirs.
func (v validator) split(cat envelope.Catalogue) (theirs, ours bson.Raw, err error) {
	theirs = some(v.whole)
	if isOurs(theirs) {
		return nil, theirs, nil
	}
	elements, err := theirs.Elements()
	if parts, ok := theirs.Lookup("$and").ArrayOK(); ok && err == nil && len(elements) == 1 {
		if theirs, ours, err = apart(theirs, parts); err != nil {
			return nil, nil, err
		}
	}
	if mixed(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: theirs}, versionsIn(cat, v.collection)) {
		return nil, nil, fmt.Errorf("collection %s: %w", printable.Text(v.collection), store.ErrFenceMixed)
	}
	return theirs, ours, nil
}

// apart takes our part out of those that a validator joins.
func apart(whole bson.Raw, parts bson.RawArray) (theirs, ours bson.Raw, err error) {
	values, err := parts.Values()
	if err != nil {
		return nil, nil, err
	}
	var rest []bson.Raw
	for _, value := range values {
		part, _ := value.DocumentOK()
		if ours == nil && isOurs(part) {
			ours = part
		} else {
			rest = append(rest, part)
		}
	}
	switch {
	case ours == nil:
		return whole, nil, nil
	case len(rest) == 0:
		return nil, ours, nil
	case len(rest) == 1:
		return rest[0], ours, nil
	}
	theirs, err = marshal(bson.D{{Key: "$and", Value: rest}})
	return theirs, ours, err
}

// isOurs reports whether a part of a validator is one that clause made, for whatever versions and places: it has
// nothing else in it.
func isOurs(part bson.Raw) bool {
	elements, err := part.Elements()
	if err != nil || len(elements) != 2 || elements[0].Key() != "$nor" || elements[1].Key() != "$comment" {
		return false
	}
	comment, ok := elements[1].Value().StringValueOK()
	return ok && comment == fenceMark
}

// mixed reports whether a part of clause's stands in a value, at any depth: its comment, or a refusal of versions.
func mixed(v bson.RawValue, versions []string) bool {
	var elements []bson.RawElement
	if d, ok := v.DocumentOK(); ok {
		elements, _ = d.Elements()
	} else if a, ok := v.ArrayOK(); ok {
		elements, _ = bson.Raw(a).Elements()
	}
	for _, e := range elements {
		comment, isText := e.Value().StringValueOK()
		if e.Key() == "$comment" && isText && comment == fenceMark || e.Key() == "$nor" && refusesOf(e.Value(), versions) ||
			mixed(e.Value(), versions) {
			return true
		}
	}
	return false
}

// refusesOf reports whether the conditions of a $nor name versions as clause does.
func refusesOf(nor bson.RawValue, versions []string) bool {
	conditions, _ := nor.ArrayOK()
	values, _ := conditions.Values()
	return slices.ContainsFunc(values, func(c bson.RawValue) bool {
		d, _ := c.DocumentOK()
		return slices.ContainsFunc(versions, func(name string) bool {
			_, ok := d.Lookup(name, "$in").ArrayOK()
			return ok
		})
	})
}

// versionsIn are the fields of a collection in which its places have their versions.
func versionsIn(cat envelope.Catalogue, collection string) (names []string) {
	for _, p := range cat {
		if p.Collection == collection {
			names = append(names, dotted(p.Path)+"."+p.Parts.KEKVersion)
		}
	}
	return names
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
