package mongo

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
)

// awkward draws a value: nested as deep as it gets, with names that are empty, look like paths or operators, or
// begin or end as those of an envelope, and with text and bytes that look like one.
func awkward(r *rand.Rand, depth int) any {
	names := []string{"wrapped_dek", "kek_version", "dek", "ver", "", ".", "a.b", "a[]", "$a", "0", "f", "g",
		"xwrapped_dek", "wrapped_dek2", "wrapped_dek.a", "wrapped"}
	scalars := []any{nil, int32(1), "text", "wrapped_dek\x00", "{wrapped_dek: 1}", []byte("\x02wrapped_dek\x00"),
		bson.Regex{Pattern: "dek", Options: "i"}, bson.NewObjectID(), 1.5, bson.Timestamp{T: 1},
		bson.JavaScript("wrapped_dek")}
	kind := r.IntN(4)
	switch {
	case depth == 0 || kind == 0:
		return scalars[r.IntN(len(scalars))]
	case kind == 1:
		list := bson.A{}
		for range r.IntN(3) {
			list = append(list, awkward(r, depth-1))
		}
		return list
	}
	object := bson.D{}
	for _, i := range r.Perm(len(names))[:r.IntN(4)] {
		object = append(object, bson.E{Key: names[i], Value: awkward(r, depth-1)})
	}
	return object
}

// searched is a search that shares no code with the one that is tested: the paths of objects with the names.
func searched(v any, path string, found map[string]bool) {
	switch v := v.(type) {
	case bson.A:
		for _, e := range v {
			searched(e, path+"[]", found)
		}
	case bson.D:
		has := map[string]bool{}
		for _, e := range v {
			has[e.Key] = true
			name := e.Key
			if name == "" || strings.Contains(name, ".") || strings.Contains(name, "[") {
				name = fmt.Sprintf("%q", name)
			}
			if path != "" {
				name = path + "." + name
			}
			searched(e.Value, name, found)
		}
		if (has["wrapped_dek"] || has["dek"] && has["ver"]) && !(path == "f" && has["wrapped_dek"]) &&
			!(path == "g.f" && has["dek"]) {
			found[path] = true
		}
	}
}

// TestSearch: the search of a record finds what another one finds, in whatever it is nested, and a record that is
// passed over by its bytes has nothing.
func TestSearch(t *testing.T) {
	other := envelope.At("things", "g.f")
	other.Parts.WrappedDEK, other.Parts.KEKVersion = "dek", "ver"
	cat := envelope.Catalogue{envelope.At("things", "f"), other}
	r := rand.New(rand.NewPCG(1, 2))
	search := searchFor(append(cat, cat...))
	var some, over, known int
	for i := range 20_000 {
		record := bson.D{{Key: "_id", Value: i}, {Key: "v", Value: awkward(r, 6)}}
		for _, name := range []string{"f", "g", "", "wrapped_dek"} {
			v := awkward(r, 3)
			switch n := r.IntN(8); {
			case n == 0 && name == "f":
				v = bson.D{{Key: "wrapped_dek", Value: awkward(r, 1)}}
			case n == 0 && name == "g":
				v = bson.D{{Key: "f", Value: bson.D{{Key: "dek", Value: awkward(r, 1)}, {Key: "ver", Value: 1}}}}
			case n > 1:
				continue
			}
			record = append(record, bson.E{Key: name, Value: v})
		}
		want := map[string]bool{}
		searched(record, "", want)
		raw, err := bson.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		read := tree{bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: raw}}
		got := map[string]bool{}
		cat.Strange("things", read, func(path string) { got[path] = true })
		if !maps.Equal(got, want) {
			t.Fatalf("%v\nfound %q\nwant  %q", record, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
		some += len(want)
		if search.accounted("things", read) {
			over++
			if len(want) > 0 {
				t.Fatalf("passed over: %v", record)
			}
			if read.has([]string{"f", "wrapped_dek"}) || read.has([]string{"g", "f", "dek"}) {
				known++
			}
		}
	}
	if some < 1000 || over < 1000 || known < 100 {
		t.Errorf("%d envelopes, %d records passed over, %d of them with a known one", some, over, known)
	}
}

// TestSearchNamedTwice: an envelope behind a name that its object has twice is read by nobody, and counted by no
// census. It is found as one outside the catalogue.
func TestSearchNamedTwice(t *testing.T) {
	secret := bson.D{{Key: "wrapped_dek", Value: []byte("w")}, {Key: "kek_version", Value: 1}}
	twice := func(first, second any) bson.D { return bson.D{{Key: "f", Value: first}, {Key: "f", Value: second}} }
	for want, c := range map[string]struct {
		path   string
		record bson.D
	}{
		`"f"`:     {"f", twice(secret, secret)},
		`"l[].f"`: {"l[].f", bson.D{{Key: "l", Value: bson.A{twice(secret, nil), twice("text", secret)}}}},
		`"o.f"`:   {"o.f", bson.D{{Key: "o", Value: nil}, {Key: "o", Value: bson.D{{Key: "f", Value: secret}}}}},
		"":        {"l[].f", bson.D{{Key: "l", Value: bson.A{bson.D{{Key: "f", Value: secret}}, twice(secret, nil)}}}},
	} {
		raw, err := bson.Marshal(c.record)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		searchFor(envelope.Catalogue{envelope.At("things", c.path)}).look("things",
			tree{bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: raw}}, func(path string) { got = append(got, path) })
		if strings.Join(got, " ") != want {
			t.Errorf("%v: found %q, want %s", c.record, got, want)
		}
	}
}
