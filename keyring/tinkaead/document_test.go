package tinkaead_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/tink"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/keyring"
	"github.com/certautopilot/kekceremony/keyring/tinkaead"
)

var (
	_ tink.AEAD            = (*tinkaead.AEAD)(nil)
	_ tink.AEADWithContext = (*tinkaead.AEAD)(nil)
)

var sealed = keyring.Envelope{WrappedDEK: bytes.Repeat([]byte{1}, 60), Nonce: bytes.Repeat([]byte{2}, 12),
	Ciphertext: bytes.Repeat([]byte{3}, 21), KEKVersion: 7, Provider: "env"}

// elements are those of sealed.
func elements() bson.D {
	return bson.D{{Key: "wrapped_dek", Value: sealed.WrappedDEK}, {Key: "nonce", Value: sealed.Nonce},
		{Key: "ciphertext", Value: sealed.Ciphertext}, {Key: "kek_version", Value: int32(7)},
		{Key: "provider", Value: "env"}}
}

func marshal(t testing.TB, d bson.D) []byte {
	t.Helper()
	document, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// with is the document of sealed with another value.
func with(t testing.TB, name string, value any) []byte {
	t.Helper()
	d := elements()
	for i := range d {
		if d[i].Key == name {
			d[i].Value = value
		}
	}
	return marshal(t, d)
}

// TestDocument: an envelope's document is the sub-document that docs/envelope.md describes, and is
// read in whatever order another program wrote it.
func TestDocument(t *testing.T) {
	document, err := tinkaead.Document(sealed)
	if err != nil || !bytes.Equal(document, marshal(t, elements())) {
		t.Errorf("%v, %v", bson.Raw(document), err)
	}
	turned := elements()
	slices.Reverse(turned)
	for name, d := range map[string][]byte{
		"as it is": document, "turned": marshal(t, turned), "a long": with(t, "kek_version", int64(7)),
	} {
		if e, err := tinkaead.Parse(d); err != nil || !reflect.DeepEqual(e, sealed) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

// TestRefused: what is not exactly an envelope's document.
func TestRefused(t *testing.T) {
	good := marshal(t, elements())
	for name, c := range map[string]struct {
		document []byte
		says     string
	}{
		"nothing":              {nil, "0 bytes are not its length"},
		"no document":          {[]byte("abcdefgh"), "8 bytes are not its length"},
		"a byte more":          {append(slices.Clone(good), 0), "not its length"},
		"a byte less":          {good[:len(good)-1], "not its length"},
		"an empty document":    {marshal(t, bson.D{}), "5 elements are missing"},
		"no end":               {append(slices.Clone(good[:len(good)-1]), 1), "no BSON"},
		"bytes within":         {within(good), "no BSON"},
		"without a nonce":      {marshal(t, slices.Delete(elements(), 1, 2)), "1 elements are missing"},
		"another":              {marshal(t, append(elements(), bson.E{Key: "tag", Value: "x"})), "element 6 is unknown"},
		"one twice":            {marshal(t, append(elements(), elements()[4])), "element 6 is unknown or repeated"},
		"a text as a nonce":    {with(t, "nonce", "222222222222"), "nonce has another type"},
		"null as a ciphertext": {with(t, "ciphertext", nil), "ciphertext has another type"},
		"another subtype":      {with(t, "wrapped_dek", bson.Binary{Subtype: 4, Data: sealed.Nonce}), "wrapped_dek has"},
		"an old subtype":       {with(t, "wrapped_dek", bson.Binary{Subtype: 2, Data: sealed.Nonce}), "wrapped_dek has"},
		"a double":             {with(t, "kek_version", 7.0), "kek_version has another type"},
		"a decimal":            {with(t, "kek_version", bson.NewDecimal128(0, 7)), "kek_version has another type"},
		"bytes as a provider":  {with(t, "provider", []byte("env")), "provider has another type"},
		"an array":             {with(t, "provider", bson.A{"env"}), "provider has another type"},
	} {
		e, err := tinkaead.Parse(c.document)
		if !errors.Is(err, tinkaead.ErrDocument) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(e, keyring.Envelope{}) {
			t.Errorf("%s: it is %+v", name, e)
		}
		if _, err := tinkaead.New(t.Context(), nil, "", nil).Decrypt(c.document, nil); !errors.Is(err, tinkaead.ErrDocument) {
			t.Errorf("%s: decrypt: %v", name, err)
		}
	}
}

// within is a document with bytes behind its last element, which its length counts.
func within(document []byte) []byte {
	longer := append(slices.Clone(document), 1, 2, 0)
	longer[0] += 3
	return longer
}

// FuzzParse: no bytes make Parse panic, and what it takes is written as an envelope again.
func FuzzParse(f *testing.F) {
	good := marshal(f, elements())
	f.Add(good)
	f.Add(within(good))
	f.Add(with(f, "kek_version", int64(1)<<40))
	f.Add(with(f, "wrapped_dek", bson.Binary{Subtype: 2}))
	f.Add([]byte{5, 0, 0, 0, 0})
	f.Add([]byte{4, 0, 0, 0})
	f.Fuzz(func(t *testing.T, document []byte) {
		e, err := tinkaead.Parse(document)
		if err != nil {
			if !errors.Is(err, tinkaead.ErrDocument) {
				t.Errorf("it returned %v", err)
			}
			return
		}
		written, err := tinkaead.Document(e)
		if err != nil {
			t.Fatal(err)
		}
		again, err := tinkaead.Parse(written)
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Errorf("%+v became %+v, %v", e, again, err)
		}
	})
}

// Columns of SQL are made of a document, and it is made of columns again.
func ExampleParse() {
	document, err := tinkaead.Document(sealed) // as Encrypt returns it
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := tinkaead.Parse(document)
	if err != nil {
		fmt.Println(err)
		return
	}
	names, values := e.Columns("encrypted_api_key")
	fmt.Println("kek_version:", e.KEKVersion)
	for i, name := range names {
		fmt.Printf("%s: %T\n", name, values[i])
	}
	// Output:
	// kek_version: 7
	// encrypted_api_key_wrapped_dek: []uint8
	// encrypted_api_key_nonce: []uint8
	// encrypted_api_key_ciphertext: []uint8
	// encrypted_api_key_kek_version: int
	// encrypted_api_key_provider: string
}
