package sqlite

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"

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

var errJSON = errors.New("not JSON that one reader understands as another does")

// parse reads JSON of which no object has a name twice: SQLite would take the first of them, and
// applications the last.
func parse(text []byte) (tree, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if err != nil {
		return tree{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return tree{}, errJSON
	}
	return v, nil
}

func parseValue(d *json.Decoder, depth int) (tree, error) {
	token, err := d.Token()
	if err != nil {
		return tree{}, err
	}
	if depth > maxDepth {
		return tree{}, errJSON
	}
	switch token {
	case json.Delim('{'):
		return parseObject(d, depth)
	case json.Delim('['):
		return parseArray(d, depth)
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

func parseObject(d *json.Decoder, depth int) (tree, error) {
	t := object()
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return t, err
		}
		v, err := parseValue(d, depth+1)
		if err != nil {
			return t, err
		}
		t.add(name.(string), v)
		if len(t.index) < len(t.fields) {
			return t, errJSON
		}
	}
	_, err := d.Token()
	return t, err
}

func object() tree { return tree{object: true, index: map[string]int{}} }

func (t *tree) add(name string, v envelope.Tree) {
	t.index[name] = len(t.fields)
	t.fields = append(t.fields, field{name, v})
}

func parseArray(d *json.Decoder, depth int) (tree, error) {
	t := tree{array: true}
	for d.More() {
		v, err := parseValue(d, depth+1)
		if err != nil {
			return t, err
		}
		t.elements = append(t.elements, v)
	}
	_, err := d.Token()
	return t, err
}

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
