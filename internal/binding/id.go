package binding

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// ErrID is returned for what an envelope cannot be bound to.
var ErrID = errors.New("want a string, an integer of 64 bits with sign, or bytes")

// Kinds of ids. The number 7 and the text 7 are two ids.
const (
	kindString   = "string"
	kindInt      = "int"
	kindBytes    = "bytes"
	kindObjectID = "objectid"
)

// ID is that of a record, or the key of an element of an array. The zero ID is none.
type ID struct{ kind, value string }

// IsZero reports whether there is no id.
func (id ID) IsZero() bool { return id == ID{} }

// IDOf is the id that a value is: a string, an integer of any type that 64 bits with sign hold, or bytes, also
// as an array.
// MongoDB's ObjectID is known by the name of its type, since bytes alone are another id, and so is its
// DateTime, which is none.
func IDOf(v any) (ID, error) {
	t := reflect.TypeOf(v)
	if t == nil {
		return ID{}, ErrID
	}
	value := reflect.ValueOf(v)
	if t.Name() == "DateTime" {
		return ID{}, fmt.Errorf("%T: %w", v, ErrID)
	}
	switch t.Kind() {
	case reflect.String:
		return ID{kindString, value.String()}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return ID{kindInt, strconv.FormatInt(value.Int(), 10)}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if value.Uint() <= math.MaxInt64 { // no store has a larger one
			return ID{kindInt, strconv.FormatUint(value.Uint(), 10)}, nil
		}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			kind := kindBytes
			if t.Kind() == reflect.Array && t.Name() == "ObjectID" {
				kind = kindObjectID
			}
			return ID{kind, string(bytesOf(value))}, nil
		}
	}
	return ID{}, fmt.Errorf("%T: %w", v, ErrID)
}

func bytesOf(v reflect.Value) []byte {
	b := make([]byte, v.Len())
	for i := range b {
		b[i] = byte(v.Index(i).Uint())
	}
	return b
}
