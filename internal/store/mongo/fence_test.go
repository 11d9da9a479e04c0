package mongo

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// TestValidator is what becomes of a collection's validator, by the commands that a server would get:
// the application's own is kept as it is, and is all that is left when the fence is lifted.
func TestValidator(t *testing.T) {
	cat := envelope.Catalogue{envelope.At("things", "f"), envelope.At("things", "list[].g"), envelope.At("others", "f")}
	theirs := bson.D{{Key: "$jsonSchema", Value: bson.D{{Key: "required", Value: bson.A{"name"}}}}}
	both := bson.D{{Key: "$and", Value: bson.A{theirs, bson.D{{Key: "a", Value: int32(1)}}}}}
	refused := func(v validator, cat envelope.Catalogue) []kek.Version {
		t.Helper()
		got, err := v.refused(cat)
		if err != nil {
			t.Error(err)
		}
		return got
	}
	for name, c := range map[string]struct {
		theirs bson.D
		level  string
		fenced string // level
		lifted string
	}{
		"none":     {nil, "", "moderate", "strict"},
		"strict":   {theirs, "strict", "strict", "strict"},
		"moderate": {both, "moderate", "moderate", "moderate"},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := marshal(c.theirs)
			if err != nil {
				t.Fatal(err)
			}
			v := validator{collection: "things", whole: raw, level: c.level, action: "error"}
			v = after(t, v, cat, 3, 1)
			if got := refused(v, cat); !slices.Equal(got, []kek.Version{1, 3}) || v.level != c.fenced ||
				v.strict() != (c.fenced == "strict") {
				t.Errorf("fenced %v, level %s", got, v.level)
			}
			if kept, _, err := v.split(cat); err != nil || !bytes.Equal(kept, raw) {
				t.Errorf("theirs became %s, %v", kept, err)
			}
			if change, err := v.change(cat, []kek.Version{1, 3}); change != nil || err != nil {
				t.Errorf("again: %v, %v", change, err)
			}
			v = after(t, v, cat, 1)
			if got := refused(v, cat); !slices.Equal(got, []kek.Version{1}) {
				t.Errorf("then fenced %v", got)
			}
			if got := refused(v, cat[:1]); len(got) > 0 {
				t.Errorf("of a catalogue without a place: %v", got)
			}
			for _, weak := range []validator{
				{"things", v.whole, v.level, "warn", false}, {"things", v.whole, "off", v.action, false},
			} {
				if got := refused(weak, cat); len(got) > 0 {
					t.Errorf("level %s, action %s: %v", weak.level, weak.action, got)
				}
			}
			v = after(t, v, cat)
			if !bytes.Equal(v.whole, raw) || v.level != c.lifted || v.action != "error" {
				t.Errorf("lifted: %s, %s, %s", v.whole, v.level, v.action)
			}
		})
	}
}

// after is a validator after the command that refuses some versions.
func after(t *testing.T, v validator, cat envelope.Catalogue, refused ...kek.Version) validator {
	t.Helper()
	change, err := v.change(cat, refused)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := marshal(change)
	if err != nil {
		t.Fatal(err)
	}
	if got := raw.Lookup("collMod").StringValue(); got != v.collection {
		t.Errorf("collection %s", got)
	}
	whole, _ := raw.Lookup("validator").DocumentOK()
	v.whole = some(whole)
	if level, ok := raw.Lookup("validationLevel").StringValueOK(); ok {
		v.level = level
	}
	if action, ok := raw.Lookup("validationAction").StringValueOK(); ok {
		v.action = action
	}
	return v
}

// TestValidatorWarns: a validator of an application's that only warns would refuse with ours.
func TestValidatorWarns(t *testing.T) {
	cat := envelope.Catalogue{envelope.At("things", "f")}
	raw, err := marshal(bson.D{{Key: "name", Value: bson.D{{Key: "$exists", Value: true}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []validator{
		{"things", raw, "strict", "warn", false}, {"things", raw, "off", "error", false}, {"things", nil, "", "", true},
	} {
		if _, err := v.change(cat, []kek.Version{1}); !errors.Is(err, store.ErrNoFence) {
			t.Errorf("%+v: %v", v, err)
		}
	}
}

// TestValidatorMixed: somebody writes a rule of an application's into the level that our part stands on, or our part
// into another one. Taken for ours, the rule would be deleted with the next change of the fence; not found, ours would
// refuse the active version after a rotation back. So nothing is changed, and every question about it is an error.
func TestValidatorMixed(t *testing.T) {
	cat := envelope.Catalogue{envelope.At("things", "f"), envelope.At("things", "g")}
	ours := clause(cat, "things", []kek.Version{1, 2})
	rule := bson.E{Key: "name", Value: bson.D{{Key: "$exists", Value: true}}}
	theirs := bson.D{rule}
	old := bson.D{{Key: "$nor", Value: bson.A{bson.D{{Key: "g.kek_version",
		Value: bson.D{{Key: "$in", Value: bson.A{int32(1)}}}}}}}}
	for name, whole := range map[string]bson.D{
		"a rule before ours":       append(bson.D{rule}, ours...),
		"a rule after ours":        append(slices.Clone(ours), rule),
		"ours is one of two":       {rule, {Key: "$and", Value: bson.A{theirs, ours}}},
		"beside what joins them":   {{Key: "$and", Value: bson.A{theirs, ours}}, {Key: "$expr", Value: true}},
		"one of several":           {{Key: "$or", Value: bson.A{theirs, ours}}},
		"deeper":                   {{Key: "$and", Value: bson.A{theirs, bson.D{{Key: "$and", Value: bson.A{ours}}}}}},
		"twice":                    {{Key: "$and", Value: bson.A{ours, ours}}},
		"without the comment":      {{Key: "$and", Value: bson.A{theirs, ours[:1]}}},
		"an older one, not marked": old,
	} {
		raw, err := marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		v := validator{"things", raw, "strict", "error", false}
		if got, err := v.refused(cat); !errors.Is(err, store.ErrFenceMixed) {
			t.Errorf("%s: refused %v, %v", name, got, err)
		}
		for _, refused := range [][]kek.Version{nil, {1}, {1, 2}} {
			if change, err := v.change(cat, refused); !errors.Is(err, store.ErrFenceMixed) {
				t.Errorf("%s: %v, %v", name, change, err)
			}
		}
	}
	more, err := marshal(bson.D{{Key: "$and", Value: bson.A{theirs, ours, bson.D{{Key: "a", Value: int32(1)}}}}})
	if err != nil {
		t.Fatal(err)
	}
	want, err := marshal(bson.D{{Key: "$and", Value: bson.A{theirs, bson.D{{Key: "a", Value: int32(1)}}}}})
	if err != nil {
		t.Fatal(err)
	}
	v := validator{"things", more, "strict", "error", false}
	lifted := after(t, v, cat)
	if !bytes.Equal(lifted.whole, want) {
		t.Errorf("a rule joined to ours: lifted %s", lifted.whole)
	}
	if err := v.became(lifted, cat, nil); err != nil {
		t.Error(err)
	}
	lost := lifted
	lost.whole = nil
	if err := v.became(lost, cat, nil); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a rule that is gone: %v", err)
	}
	if err := v.became(v, cat, nil); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a fence that was not lifted: %v", err)
	}
}

// TestClauseFinds: what a validator takes is what its text finds as a query. A server without validators answers that.
// A version as text, which no census takes for a number, is not taken, and neither is a wrapped DEK with none.
func TestClauseFinds(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	uri := server.Fresh(t)
	s, err := Open(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	cat := envelope.Catalogue{envelope.At("things", "f"), envelope.At("things", "list[].g")}
	sealed := func(version any) bson.D {
		return bson.D{{Key: "wrapped_dek", Value: []byte("w")}, {Key: "kek_version", Value: version}}
	}
	for name, c := range map[string]struct {
		f, g  any
		taken bool
	}{
		"the active version": {sealed(int32(3)), sealed(int32(3)), true},
		"another number":     {sealed(int64(3)), sealed(3.0), true},
		"nothing there":      {nil, nil, true},
		"cleared":            {bson.D{{Key: "wrapped_dek", Value: nil}, {Key: "kek_version", Value: nil}}, nil, true},
		"an old version":     {sealed(int32(1)), nil, false},
		"an old real one":    {sealed(2.0), nil, false},
		"in an array":        {nil, sealed(int32(2)), false},
		"text":               {sealed("1"), nil, false},
		"text in an array":   {nil, sealed("1"), false},
		"a list":             {sealed(bson.A{int32(3)}), nil, false},
		"none":               {bson.D{{Key: "wrapped_dek", Value: []byte("w")}}, nil, false},
		"nothing as one":     {sealed(nil), nil, false},
	} {
		server.Replace(t, uri, "things", bson.D{{Key: "_id", Value: name}, {Key: "f", Value: c.f},
			{Key: "list", Value: bson.A{bson.D{{Key: "name", Value: "x"}}, "y", bson.D{{Key: "g", Value: c.g}}}}})
		filter := append(bson.D{{Key: "_id", Value: name}}, clause(cat, "things", []kek.Version{1, 2})[:1]...)
		n, err := s.db.Collection("things").CountDocuments(t.Context(), filter)
		if err != nil || n == 1 != c.taken {
			t.Errorf("%s: taken %t, want %t; %v", name, n == 1, c.taken, err)
		}
	}
}
