package sqlite

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/binding"
	"github.com/certautopilot/kekceremony/internal/envelope"
)

// tree is a value of JSON, or of a column.
type tree struct {
	fields   []field
	index    map[string]int // of fields, by name
	elements []envelope.Tree
	object   bool
	array    bool
	value    any
}

type field struct {
	name  string
	value envelope.Tree
}

// maxDepth bounds how deep a value is nested.
const maxDepth = 100

// Errors of what one reader understands otherwise than another does, or reads where another does not.
var (
	errTwice = errors.New("JSON of which an object has a name twice") // all of it was read
	errRest  = errors.New("JSON with more behind it")                 // which one reader of streams reads
	errDeep  = errors.New("JSON that is nested too deep")
)

// reading is how JSON is read.
type reading struct {
	*json.Decoder
	twice bool
}

func newReading(text []byte) *reading {
	r := &reading{Decoder: json.NewDecoder(bytes.NewReader(shortest(text)))}
	r.UseNumber()
	return r
}

// parse reads JSON. Of a name that an object has twice SQLite takes the first value, and applications the last.
func parse(text []byte) (tree, error) {
	r := newReading(text)
	v, err := r.value(0)
	if err != nil {
		return tree{}, err
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return v, errRest
	}
	if r.twice {
		return v, errTwice
	}
	return v, nil
}

// stream reads JSON values one after the other, up to an error that is not the end.
func stream(text []byte) iter.Seq2[tree, error] {
	return func(yield func(tree, error) bool) {
		r := newReading(text)
		for {
			v, err := r.value(0)
			if errors.Is(err, io.EOF) || !yield(v, err) || err != nil {
				return
			}
		}
	}
}

func (r *reading) value(depth int) (tree, error) {
	token, err := r.Token()
	if err != nil {
		return tree{}, err
	}
	if depth > maxDepth {
		return tree{}, errDeep
	}
	switch token {
	case json.Delim('{'):
		return r.objectOf(depth)
	case json.Delim('['):
		return r.array(depth)
	}
	return tree{value: leaf(token)}, nil
}

func leaf(token any) any {
	number, ok := token.(json.Number)
	if !ok {
		return token
	}
	if n, err := number.Int64(); err == nil {
		return n
	}
	n, _ := number.Float64()
	return n
}

func (r *reading) objectOf(depth int) (tree, error) {
	t := object()
	for r.More() {
		name, err := r.Token()
		if err != nil {
			return t, err
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return t, err
		}
		t.add(nameOf(name.(string)), v)
	}
	r.twice = r.twice || len(t.index) < len(t.fields)
	_, err := r.Token()
	return t, err
}

func object() tree { return tree{object: true, index: map[string]int{}} }

func (t *tree) add(name string, v envelope.Tree) {
	t.index[name] = len(t.fields)
	t.fields = append(t.fields, field{name, v})
}

func (r *reading) array(depth int) (tree, error) {
	t := tree{array: true}
	for r.More() {
		v, err := r.value(depth + 1)
		if err != nil {
			return t, err
		}
		t.elements = append(t.elements, v)
	}
	_, err := r.Token()
	return t, err
}

// some reports whether a value, or one in it, is such a one.
func (t tree) some(is func(tree) bool) bool {
	if is(t) {
		return true
	}
	in := func(v envelope.Tree) bool { return v.(tree).some(is) }
	return slices.ContainsFunc(t.elements, in) ||
		slices.ContainsFunc(t.fields, func(f field) bool { return in(f.value) })
}

// someText is some, of the text in a value that is an object or array of JSON itself: an application encoded it twice.
// One that is nested too deep may be any.
func (t tree) someText(is func(tree) bool) bool {
	return t.some(func(v tree) bool {
		text, ok := v.value.(string)
		if !ok || !strings.Contains(text, "{") {
			return false
		}
		inner, err := parse([]byte(text))
		return errors.Is(err, errDeep) || inner.hides(is)
	})
}

// hides is some or someText.
func (t tree) hides(is func(tree) bool) bool { return t.some(is) || t.someText(is) }

// Fields implements envelope.Tree.
func (t tree) Fields() (iter.Seq2[string, envelope.Tree], bool) {
	return func(yield func(string, envelope.Tree) bool) {
		for _, f := range t.fields {
			if !yield(f.name, f.value) {
				return
			}
		}
	}, t.object
}

// Field implements envelope.Tree.
func (t tree) Field(name string) (envelope.Tree, bool) {
	i, ok := t.index[name]
	if !ok {
		return nil, false
	}
	return t.fields[i].value, true
}

// Elements implements envelope.Tree.
func (t tree) Elements() ([]envelope.Tree, bool) { return t.elements, t.array }

// Value implements envelope.Tree.
func (t tree) Value() any { return t.value }

// ID implements envelope.Tree.
func (t tree) ID() (binding.ID, error) { return binding.IDOf(t.value) }
