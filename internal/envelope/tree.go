package envelope

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/certautopilot/kekceremony/internal/binding"
)

// Tree is a value of a record, as its store reads it.
type Tree interface {
	// Fields are those of an object, in order; false: it is none.
	Fields() (iter.Seq2[string, Tree], bool)
	// Field is that of an object; false: it has none of that name.
	Field(name string) (Tree, bool)
	// Elements are those of an array; false: it is none.
	Elements() ([]Tree, bool)
	// Value is []byte, string, int64, float64, or nil for anything else.
	Value() any
	// ID is what an envelope can be bound to; binding.ErrID of anything else.
	ID() (binding.ID, error)
}

// Spot is where a record has an envelope of a place, or could have one.
type Spot struct {
	Path  string // its own: tokens[2].secret
	Value Tree   // nil: no envelope is there
	List  bool   // envelopes in an array of which the place knows nothing: no key opens them
	Keys  []Key  // of the elements that it is in, the outermost first, where the place declares one
}

// Array is an array that a place's path goes through.
type Array struct {
	Path string
	N    int // elements
}

// Spots are those of a record, and the arrays on the way to them. The spot of what an array
// lacks has the rest of the place's path.
func (p Place) Spots(record Tree) (spots []Spot, arrays []Array) {
	w := walk{form: p.Form, key: p.Key}
	w.down(record, "", strings.Split(p.Path, "."))
	return w.spots, w.arrays
}

type walk struct {
	form   Form
	key    string
	keys   []Key // of the elements that it is in
	spots  []Spot
	arrays []Array
}

// down goes from a value, at a path, along the names that are left.
func (w *walk) down(v Tree, path string, names []string) {
	if len(names) == 0 {
		w.arrive(v, path)
		return
	}
	if elements, ok := v.Elements(); ok {
		if slices.ContainsFunc(elements, func(e Tree) bool { return w.within(e, names) }) {
			w.spots = append(w.spots, Spot{Path: path, Value: v, List: true})
		} else {
			w.spots = append(w.spots, Spot{Path: join(path, names...)})
		}
		return
	}
	name, isArray := strings.CutSuffix(names[0], "[]")
	child, there := v.Field(name)
	path = join(path, name)
	switch {
	case !there:
		w.spots = append(w.spots, Spot{Path: join(path, names[1:]...)})
	case isArray:
		w.each(child, path, names[1:])
	default:
		w.down(child, path, names[1:])
	}
}

func join(path string, names ...string) string {
	if path != "" {
		names = append([]string{path}, names...)
	}
	return strings.Join(names, ".")
}

// each goes on from every element of an array.
func (w *walk) each(v Tree, path string, names []string) {
	elements, ok := v.Elements()
	if !ok { // another place, which the catalogue does not have
		w.spots = append(w.spots, Spot{Path: join(path, names...)})
		return
	}
	w.arrays = append(w.arrays, Array{path, len(elements)})
	var keys []Key
	if w.key != "" {
		keys = w.keyed(elements, path)
	}
	around := w.keys
	for i, e := range elements {
		if keys != nil {
			w.keys = append(slices.Clip(around), keys[i])
		}
		w.down(e, element(path, i), names)
	}
	w.keys = around
}

func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func (w *walk) arrive(v Tree, path string) {
	elements, isList := v.Elements()
	switch {
	case w.form.holds(v):
		w.spots = append(w.spots, Spot{Path: path, Value: v, Keys: w.keys})
	case isList && slices.ContainsFunc(elements, w.form.holds):
		w.spots = append(w.spots, Spot{Path: path, Value: v, List: true})
	default: // something that is no secret of ours
		w.spots = append(w.spots, Spot{Path: path})
	}
}

// within reports whether there is an envelope further along names.
func (w *walk) within(v Tree, names []string) bool {
	deeper := walk{form: w.form}
	deeper.down(v, "", names)
	return slices.ContainsFunc(deeper.spots, func(s Spot) bool { return s.Value != nil })
}

// holds reports whether a value is an object with a part of an envelope. Whether it is a good one,
// the provider finds out.
func (f Form) holds(v Tree) bool {
	_, dek := v.Field(f.Parts.WrappedDEK)
	_, version := v.Field(f.Parts.KEKVersion)
	return dek || version
}

// Objects calls found with every object in a record, at the path that a place would have.
func Objects(record Tree, found func(path string, object Tree)) {
	if fields, ok := record.Fields(); ok {
		inObject(fields, "", found)
	}
}

// inObject looks at the fields of an object at a path.
func inObject(fields iter.Seq2[string, Tree], path string, found func(path string, object Tree)) {
	for name, v := range fields {
		elements, isArray := v.Elements()
		fields, isObject := v.Fields()
		if !isArray && !isObject {
			continue
		}
		if name == "" || strings.ContainsAny(name, ".[") { // that of no place: it would look like the path of one
			name = strconv.Quote(name)
		}
		at := join(path, name)
		if isArray {
			inArray(elements, at+"[]", found)
		}
		if isObject {
			found(at, v)
			inObject(fields, at, found)
		}
	}
}

// inArray looks at the elements of an array, at the path of each.
func inArray(elements []Tree, path string, found func(path string, object Tree)) {
	for _, v := range elements {
		if elements, ok := v.Elements(); ok {
			inArray(elements, path+"[]", found)
		}
		if fields, ok := v.Fields(); ok {
			found(path, v)
			inObject(fields, path, found)
		}
	}
}
