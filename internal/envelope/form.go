package envelope

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// Form is how a place writes its envelopes.
type Form struct {
	Parts Parts
	Bytes Encoding
	Outer string // path of the record's outer version; empty: it has none
}

// Parts are the names of an envelope's parts. IV is that of the wrapped DEK where it is a part of
// its own; empty: the wrapped DEK begins with it.
type Parts struct{ WrappedDEK, IV, Nonce, Ciphertext, KEKVersion, Provider string }

// Encoding is how a place writes bytes.
type Encoding string

// The encodings. Text in any other spelling than Encode's is not read.
const (
	Binary Encoding = "binary"
	Base64 Encoding = "base64" // RFC 4648 section 4, padded
	Hex    Encoding = "hex"    // lower-case
)

// Standard is the form of docs/envelope.md.
func Standard() Form {
	return Form{
		Parts: Parts{WrappedDEK: "wrapped_dek", Nonce: "nonce", Ciphertext: "ciphertext",
			KEKVersion: "kek_version", Provider: "provider"},
		Bytes: Binary,
		Outer: "kek_version",
	}
}

// Encode is bytes as a value of the store: []byte, or string.
func (e Encoding) Encode(b []byte) any {
	switch e {
	case Base64:
		return base64.StdEncoding.EncodeToString(b)
	case Hex:
		return hex.EncodeToString(b)
	}
	return b
}

// Decode reads what Encode writes, and false of anything else.
func (e Encoding) Decode(value any) (b []byte, ok bool) {
	text, isText := value.(string)
	switch e {
	case Base64:
		b, err := base64.StdEncoding.DecodeString(text)
		return b, isText && err == nil && e.Encode(b) == text
	case Hex:
		b, err := hex.DecodeString(text)
		return b, isText && err == nil && e.Encode(b) == text
	}
	b, ok = value.([]byte)
	return b, ok
}

// Stored is bytes as Encode wrote them, and those of anything else as they stand there: no DEK opens them,
// and they are told apart from others.
func (e Encoding) Stored(value any) []byte {
	if b, ok := e.Decode(value); ok {
		return b
	}
	switch value := value.(type) {
	case string:
		return []byte(value)
	case []byte:
		return value
	}
	return nil
}

// Wrapped are the names of the parts that a wrapped DEK stands in: the IV's, if it has one, last.
func (f Form) Wrapped() []string {
	if f.Parts.IV == "" {
		return []string{f.Parts.WrappedDEK}
	}
	return []string{f.Parts.WrappedDEK, f.Parts.IV}
}

// sealed is the length of a wrapped DEK without its IV, in bytes: a DEK and a tag of 16 bytes.
const sealed = kek.Size + 16

// Write is a wrapped DEK as values of its parts, in Wrapped's order.
func (f Form) Write(wrapped []byte) ([]any, error) {
	if f.Parts.IV == "" {
		return []any{f.Bytes.Encode(wrapped)}, nil
	}
	iv := len(wrapped) - sealed
	if iv <= 0 {
		return nil, fmt.Errorf("a wrapped DEK of %d bytes has no IV that stands before it", len(wrapped))
	}
	return []any{f.Bytes.Encode(wrapped[iv:]), f.Bytes.Encode(wrapped[:iv])}, nil
}

// Read joins what Write wrote. False: the values are no wrapped DEK of this form.
func (f Form) Read(values []any) (wrapped []byte, ok bool) {
	for _, v := range slices.Backward(values) {
		b, ok := f.Bytes.Decode(v)
		if !ok {
			return nil, false
		}
		wrapped = append(wrapped, b...)
	}
	return wrapped, len(values) == 1 || len(wrapped) > sealed
}

// String names what differs from the standard form; empty: nothing.
func (f Form) String() string {
	var all []string
	differs := func(name, value, standard string) {
		if value == "" {
			value = "none"
		}
		if value != standard {
			all = append(all, name+"="+value)
		}
	}
	s := Standard()
	differs("wrapped_dek", f.Parts.WrappedDEK, s.Parts.WrappedDEK)
	differs("iv", f.Parts.IV, "none")
	differs("nonce", f.Parts.Nonce, s.Parts.Nonce)
	differs("ciphertext", f.Parts.Ciphertext, s.Parts.Ciphertext)
	differs("kek_version", f.Parts.KEKVersion, s.Parts.KEKVersion)
	differs("provider", f.Parts.Provider, s.Parts.Provider)
	differs("bytes", string(f.Bytes), string(s.Bytes))
	differs("outer", f.Outer, s.Outer)
	return strings.Join(all, ",")
}

// VersionOf is a value of a Tree as a version of the KEK, and 0 where it is none: what an application
// or an attacker wrote there must not hide an envelope from a census.
func VersionOf(value any) kek.Version {
	var n float64
	switch v := value.(type) {
	case int64:
		n = float64(v)
	case float64:
		n = v
	}
	if !(n >= 1 && n <= float64(kek.MaxVersion)) || n != math.Trunc(n) {
		return 0
	}
	return kek.Version(n)
}
