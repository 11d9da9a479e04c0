package binding_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"testing"

	"github.com/certautopilot/kekceremony/internal/binding"
	"github.com/certautopilot/kekceremony/internal/kek"
)

// vector is one of testdata/vectors.json, which the readers in other languages are tested with too.
type vector struct {
	What, Purpose, Place, AAD string
	Chain                     kek.Chain
	ID                        id
	Keys                      []id
}

type id struct{ Type, Value string }

// ObjectID has the name of MongoDB's.
type ObjectID [12]byte

// of is an id as a program has it.
func (i id) of(t *testing.T) (found binding.ID) {
	t.Helper()
	var v any = i.Value
	var err error
	switch i.Type {
	case "int":
		v, err = strconv.ParseInt(i.Value, 10, 64)
	case "bytes":
		v, err = hex.DecodeString(i.Value)
	case "objectid":
		var b []byte
		b, err = hex.DecodeString(i.Value)
		v = ObjectID(b)
	}
	if err == nil {
		found, err = binding.IDOf(v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(text, &all); err != nil || len(all) < 8 {
		t.Fatal(len(all), err)
	}
	seen := map[string]bool{}
	for _, v := range all {
		got := binding.Canary(v.Chain)
		if v.Purpose == "dek" {
			var keys []binding.ID
			for _, key := range v.Keys {
				keys = append(keys, key.of(t))
			}
			got = binding.DEK(v.Chain, v.Place, v.ID.of(t), keys...)
		}
		if hex.EncodeToString(got) != v.AAD || seen[v.AAD] {
			t.Errorf("%s: %x, want %s, and no two the same", v.What, got, v.AAD)
		}
		seen[v.AAD] = true
	}
}

// TestIDOf: one id has one form, whatever Go type a program has it in.
func TestIDOf(t *testing.T) {
	type name string
	for _, same := range [][]any{
		{7, int32(7), int64(7), uint8(7), uint64(7)},
		{"a", name("a")},
		{[]byte{1, 2}, [2]byte{1, 2}, json.RawMessage{1, 2}},
	} {
		first, err := binding.IDOf(same[0])
		for _, v := range same[1:] {
			if id, other := binding.IDOf(v); err != nil || other != nil || id != first {
				t.Errorf("%T %v is another id than %T: %v %v", v, v, same[0], err, other)
			}
		}
	}
	for _, v := range []any{nil, 1.5, true, struct{}{}, []int{1}, map[string]int{}, uint64(1 << 63)} {
		if _, err := binding.IDOf(v); !errors.Is(err, binding.ErrID) {
			t.Errorf("%T: %v", v, err)
		}
	}
}
