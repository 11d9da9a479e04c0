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
)

// TestValidator is what becomes of a collection's validator, by the commands that a server would get:
// the application's own is kept as it is, and is all that is left when the fence is lifted.
func TestValidator(t *testing.T) {
	cat := envelope.Catalogue{envelope.At("things", "f"), envelope.At("things", "list[].g"), envelope.At("others", "f")}
	theirs := bson.D{{Key: "$jsonSchema", Value: bson.D{{Key: "required", Value: bson.A{"name"}}}}}
	both := bson.D{{Key: "$and", Value: bson.A{theirs, bson.D{{Key: "a", Value: int32(1)}}}}}
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
			v := validator{"things", raw, c.level, "error"}
			v = after(t, v, cat, 3, 1)
			if got := v.refused(cat); !slices.Equal(got, []kek.Version{1, 3}) || v.level != c.fenced {
				t.Errorf("fenced %v, level %s", got, v.level)
			}
			if kept, _ := split(v.whole); !bytes.Equal(kept, raw) {
				t.Errorf("theirs became %s", kept)
			}
			if change, err := v.change(cat, []kek.Version{1, 3}); change != nil || err != nil {
				t.Errorf("again: %v, %v", change, err)
			}
			v = after(t, v, cat, 1)
			if got := v.refused(cat); !slices.Equal(got, []kek.Version{1}) {
				t.Errorf("then fenced %v", got)
			}
			if got := v.refused(cat[:1]); len(got) > 0 {
				t.Errorf("of a catalogue without a place: %v", got)
			}
			for _, weak := range []validator{{"things", v.whole, v.level, "warn"}, {"things", v.whole, "off", v.action}} {
				if got := weak.refused(cat); len(got) > 0 {
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
	for _, v := range []validator{{"things", raw, "strict", "warn"}, {"things", raw, "off", "error"}} {
		if _, err := v.change(cat, []kek.Version{1}); !errors.Is(err, store.ErrNoFence) {
			t.Errorf("%+v: %v", v, err)
		}
	}
}
