package tinkaead

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/keyring"
)

// ErrDocument: these bytes are not one BSON document with the elements of an envelope.
var ErrDocument = errors.New("not the document of an envelope")

// Document returns an envelope as one BSON document, as MongoDB has it: docs/envelope.md. A
// program that stores it in columns makes it again of what it scanned.
func Document(e keyring.Envelope) ([]byte, error) {
	document, err := bson.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write envelope: %w", err)
	}
	return document, nil
}

// Parse returns the envelope that a document contains; their bytes share memory. Each element of
// an envelope must be there once, with its type, in any order, and nothing else; else it returns
// ErrDocument. An envelope's KEKVersion is the record's outer kek_version, and its Columns are
// what SQL stores.
func Parse(document []byte) (keyring.Envelope, error) {
	e, err := parse(document)
	if err != nil {
		return keyring.Envelope{}, fmt.Errorf("read envelope: %w", err)
	}
	return e, nil
}

func parse(document []byte) (e keyring.Envelope, err error) {
	elements, err := elementsOf(document)
	if err != nil {
		return e, err
	}
	missing := map[string]func(bson.RawValue) bool{
		"wrapped_dek": generic(&e.WrappedDEK), "nonce": generic(&e.Nonce), "ciphertext": generic(&e.Ciphertext),
		"kek_version": number(&e.KEKVersion), "provider": text(&e.Provider),
	}
	for i, element := range elements {
		read, ok := missing[element.Key()]
		if !ok {
			return e, fmt.Errorf("element %d is unknown or repeated: %w", i+1, ErrDocument)
		}
		if !read(element.Value()) {
			return e, fmt.Errorf("%s has another type: %w", element.Key(), ErrDocument)
		}
		delete(missing, element.Key())
	}
	if len(missing) > 0 {
		return e, fmt.Errorf("%d elements are missing: %w", len(missing), ErrDocument)
	}
	return e, nil
}

// elementsOf are those of a document that has the length it says.
func elementsOf(document []byte) ([]bson.RawElement, error) {
	if len(document) < 4 || uint64(binary.LittleEndian.Uint32(document)) != uint64(len(document)) {
		return nil, fmt.Errorf("%d bytes are not its length: %w", len(document), ErrDocument)
	}
	if bson.Raw(document).Validate() != nil { // what it says is of the bytes, which are anyone's
		return nil, fmt.Errorf("no BSON: %w", ErrDocument)
	}
	return bson.Raw(document).Elements()
}

// generic reads a binary value of the subtype 0.
func generic(into *[]byte) func(bson.RawValue) bool {
	return func(v bson.RawValue) bool {
		subtype, data, ok := v.BinaryOK()
		*into = data
		return ok && subtype == bson.TypeBinaryGeneric
	}
}

// number reads an int or a long.
func number(into *int) func(bson.RawValue) bool {
	return func(v bson.RawValue) bool {
		if n, ok := v.Int32OK(); ok {
			*into = int(n)
			return true
		}
		n, ok := v.Int64OK()
		*into = int(n)
		return ok && int64(*into) == n
	}
}

func text(into *string) func(bson.RawValue) bool {
	return func(v bson.RawValue) (ok bool) {
		*into, ok = v.StringValueOK()
		return ok
	}
}
