package config

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/certautopilot/kekceremony/internal/nearest"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// keyError is an unknown key, and the known one of its section that it is like.
type keyError struct {
	error
	meant string
}

func (e *keyError) Unwrap() error { return e.error }

// meant adds to the error of an unknown key the known one that it is like, if there is one. Root was
// decoded into a value; more are keys of its outermost section that the value does not have.
func meant(err error, root ast.Node, into any, more ...string) error {
	var unknown *yaml.UnknownFieldError
	if !errors.As(err, &unknown) {
		return err
	}
	outermost := reflect.TypeOf(into)
	section := sectionWith(unknown.Token, root, outermost)
	known := keysOf(section)
	if section == outermost {
		known = append(known, more...)
	}
	return &keyError{err, nearest.To(unknown.Token.Value, known)}
}

// sectionWith is the type of the section with that key; nil: there is none.
func sectionWith(key *token.Token, n ast.Node, of reflect.Type) reflect.Type {
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			if found := sectionWith(key, v, of); found != nil {
				return found
			}
		}
	case *ast.MappingValueNode:
		if n.Key.GetToken().Position.Offset == key.Position.Offset {
			return of
		}
		return sectionWith(key, n.Value, typeOf(of, n.Key.GetToken().Value))
	case *ast.SequenceNode:
		for _, v := range n.Values {
			if found := sectionWith(key, v, typeOf(of, "")); found != nil {
				return found
			}
		}
	}
	return nil
}

// typeOf is the type of a section's key, or of a list's entries; nil: it has none.
func typeOf(section reflect.Type, key string) reflect.Type {
	switch section = pointedTo(section); {
	case section == nil:
		return nil
	case section.Kind() == reflect.Slice || section.Kind() == reflect.Map:
		return section.Elem()
	}
	for _, f := range fieldsOf(section) {
		if f.Tag.Get("yaml") == key {
			return f.Type
		}
	}
	return nil
}

// keysOf lists the keys of a section.
func keysOf(section reflect.Type) (names []string) {
	for _, f := range fieldsOf(pointedTo(section)) {
		names = append(names, f.Tag.Get("yaml"))
	}
	return names
}

// fieldsOf lists the fields of a section that have a key.
func fieldsOf(section reflect.Type) (fields []reflect.StructField) {
	if section == nil || section.Kind() != reflect.Struct {
		return nil
	}
	for i := range section.NumField() {
		switch f := section.Field(i); f.Tag.Get("yaml") {
		case "", "-":
		case ",inline":
			fields = slices.Concat(fields, fieldsOf(pointedTo(f.Type)))
		default:
			fields = append(fields, f)
		}
	}
	return fields
}

// pointedTo is a type, or what a pointer points to.
func pointedTo(t reflect.Type) reflect.Type {
	if t != nil && t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// cause is the YAML error without its picture of the file: the file may hold
// what should not be on a screen.
func cause(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	first = printable.Text(first)
	var key *keyError
	if errors.As(err, &key) {
		first += nearest.Question(key.meant)
	}
	return first
}
