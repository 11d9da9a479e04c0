package mongo

import (
	"bytes"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/envelope"
)

// search looks through records for envelopes at places that a catalogue does not have.
type search struct {
	cat   envelope.Catalogue
	names map[string][]byte                 // of wrapped DEKs, as BSON writes the name of a field
	known map[[2]string]map[string][]string // by collection and name, by path: the names on the way to a place
}

func searchFor(cat envelope.Catalogue) search {
	s := search{cat, map[string][]byte{}, map[[2]string]map[string][]string{}}
	for _, name := range cat.Shapes() {
		s.names[name] = []byte(name + "\x00")
	}
	for _, p := range cat {
		of := [2]string{p.Collection, p.Parts.WrappedDEK}
		if s.known[of] == nil {
			s.known[of] = map[string][]string{}
		}
		if !p.HasArrays() {
			s.known[of][p.Path] = strings.Split(p.Path, ".")
		}
	}
	return s
}

// look calls found with the path of every envelope in a record at a place that the catalogue does not have.
func (s search) look(collection string, record tree, found func(path string)) {
	if !s.accounted(collection, record) {
		s.cat.Strange(collection, record, found)
	}
}

// accounted reports that whatever has the name of a wrapped DEK is at a place of the catalogue: there are no more
// such names in the record, at any depth and in whatever they are, than such places. That a record has nothing
// more is by far the most frequent case, and is found without a look at each of its fields.
func (s search) accounted(collection string, record tree) bool {
	for name, written := range s.names {
		n := bytes.Count(record.raw.Value, written)
		if n == 0 {
			continue
		}
		for _, path := range s.known[[2]string{collection, name}] {
			if record.has(append(slices.Clip(path), name)) {
				n--
			}
		}
		if n > 0 {
			return false
		}
	}
	return true
}

// has reports whether an object has a field at a path, through objects alone.
func (t tree) has(path []string) bool {
	var at envelope.Tree = t
	ok := true
	for _, name := range path {
		if at, ok = at.Field(name); !ok {
			return false
		}
	}
	return true
}
