package pkcs11

/*
#include "cryptoki.h"

static ck_ulong attribute(struct ck_function_list *f, ck_ulong session, ck_ulong object, ck_ulong type,
		ck_byte *value, ck_ulong *len) {
	struct ck_attribute a = { type, value, *len };
	ck_ulong room = *len, rv = ((ck_get_attribute_value)f->place[PLACE_C_GET_ATTRIBUTE_VALUE])(session, object, &a, 1);
	*len = a.len;
	return within(rv, len, room);
}
*/
import "C"

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// readBack lists what is read back of a key, by its name in transcripts, and what
// a key made by us says.
var readBack = []struct {
	name     string
	attr     uint
	want     string
	passable bool // it may be unknown: it was asked for when the key was made
}{
	{"local", pkcs11.CKA_LOCAL, "true", false},
	{"sensitive", pkcs11.CKA_SENSITIVE, "true", false},
	{"always_sensitive", pkcs11.CKA_ALWAYS_SENSITIVE, "true", false},
	{"extractable", pkcs11.CKA_EXTRACTABLE, "false", false},
	{"never_extractable", pkcs11.CKA_NEVER_EXTRACTABLE, "true", false},
	{"wrap", pkcs11.CKA_WRAP, "false", true},
	{"unwrap", pkcs11.CKA_UNWRAP, "false", true},
	{"derive", pkcs11.CKA_DERIVE, "false", true},
	{"modifiable", pkcs11.CKA_MODIFIABLE, "false", true},
	{"copyable", pkcs11.CKA_COPYABLE, "false", true},
	{"bytes", pkcs11.CKA_VALUE_LEN, strconv.Itoa(kek.Size), true},
}

const unknown = "unknown"

// attributes reads each attribute by itself: a token that refuses one would
// otherwise withhold all. What cannot be read is "unknown". The error is that of a
// token that is not there, or that gives an impossible answer.
func (p *Provider) attributes(h pkcs11.ObjectHandle) (map[string]string, error) {
	out := make(map[string]string, len(readBack))
	for _, t := range readBack {
		out[t.name] = unknown
		v, err := p.call.attribute(p.h, h, t.attr)
		if isGone(err) || isLost(err) || errors.Is(err, errTooLong) {
			return nil, fmt.Errorf("%s: %w", t.name, named(err))
		}
		switch {
		case err != nil:
		case len(v) == 8: // a CK_ULONG
			out[t.name] = strconv.FormatUint(binary.NativeEndian.Uint64(v), 10)
		case bytes.Equal(v, []byte{1}):
			out[t.name] = "true"
		case bytes.Equal(v, []byte{0}):
			out[t.name] = "false"
		}
	}
	return out, nil
}

// attribute is C_GetAttributeValue of one attribute (PKCS#11 v2.40, 5.7). A value of more
// than roomy bytes is CKR_BUFFER_TOO_SMALL.
func (f functions) attribute(s pkcs11.SessionHandle, object pkcs11.ObjectHandle, kind uint) ([]byte, error) {
	value := make([]byte, roomy)
	n := C.ck_ulong(len(value))
	err := asError(C.attribute(f.list, C.ck_ulong(s), C.ck_ulong(object), C.ck_ulong(kind), pointer(value), &n))
	if err != nil {
		return nil, err
	}
	return value[:n], nil
}
