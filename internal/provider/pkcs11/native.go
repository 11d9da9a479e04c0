package pkcs11

/*
#include <stdlib.h>
#include <string.h>

#include "cryptoki.h"
#include "message.h"
#include "rewrap.h"

static ck_ulong login(struct ck_function_list *f, ck_ulong session, ck_ulong user, ck_byte *pin, ck_ulong len) {
	return ((ck_login)f->place[PLACE_C_LOGIN])(session, user, pin, len);
}

// One operation is one call from Go: no other thread can come between the two halves.
static ck_ulong gcm(struct ck_function_list *f, ck_ulong session, ck_ulong key, int encrypt,
		ck_byte *iv, ck_ulong iv_len, ck_byte *aad, ck_ulong aad_len,
		ck_byte *in, ck_ulong in_len, ck_byte *out, ck_ulong *out_len) {
	struct ck_gcm_params p = { iv, iv_len, iv_len * 8, aad_len ? aad : NULL, aad_len, 128 };
	struct ck_mechanism m = { CKM_AES_GCM, &p, sizeof p };
	int init = encrypt ? PLACE_C_ENCRYPT_INIT : PLACE_C_DECRYPT_INIT;
	int run = encrypt ? PLACE_C_ENCRYPT : PLACE_C_DECRYPT;
	ck_ulong room = *out_len, rv = ((ck_crypt_init)f->place[init])(session, &m, key);
	if (rv != CKR_OK)
		return rv;
	return within(((ck_crypt)f->place[run])(session, in, in_len, out, out_len), out_len, room);
}

static ck_ulong sign(struct ck_function_list *f, ck_ulong session, ck_ulong mechanism, ck_ulong key,
		ck_byte *in, ck_ulong in_len, ck_byte *out, ck_ulong *out_len) {
	struct ck_mechanism m = { mechanism, NULL, 0 };
	ck_ulong room = *out_len, rv = ((ck_crypt_init)f->place[PLACE_C_SIGN_INIT])(session, &m, key);
	if (rv != CKR_OK)
		return rv;
	return within(((ck_crypt)f->place[PLACE_C_SIGN])(session, in, in_len, out, out_len), out_len, room);
}

// How items are re-wrapped: by messages, where there are lanes, else by two calls for each operation.
struct way {
	struct ck_function_list *f;
	ck_ulong session;
	struct lanes *m;
};

static ck_ulong crypt(const struct way *w, struct lane *l, int encrypt, ck_ulong key, ck_byte *iv, ck_ulong iv_len,
		ck_byte *aad, ck_ulong aad_len, ck_byte *in, ck_ulong in_len, ck_byte *out, ck_ulong *out_len) {
	if (w->m)
		return gcm_message(w->m, l, key, iv, iv_len, aad, aad_len, in, in_len, out, out_len);
	return gcm(w->f, w->session, key, encrypt, iv, iv_len, aad, aad_len, in, in_len, out, out_len);
}

// Re-wraps items one after the other: unwrap, wrap, unwrap again, compare. Many
// in one call from Go, since a call that takes long costs the Go scheduler more
// than the token. DEKs are in the scratch memory alone, which is wiped.
static void wipe(ck_byte *b, ck_ulong n) {
	volatile ck_byte *v = b;
	while (n--)
		*v++ = 0;
}

// What stands where a DEK will: one that the token did not write is told by it.
static const ck_byte unwritten[REWRAP_DEK] = "this is what no token has writt";

static void rewrap_one(const struct way *w, ck_ulong to, struct rewrap_item *it, ck_byte *scratch) {
	ck_byte *dek = scratch + REWRAP_ROOM, iv[REWRAP_IV_MAX], differ = 0;
	ck_ulong n = REWRAP_ROOM;
	memcpy(iv, it->in, it->iv_len);
	memcpy(scratch, unwritten, REWRAP_DEK);
	it->step = REWRAP_UNWRAP;
	it->rv = crypt(w, w->m ? &w->m->unwrap : NULL, 0, it->from, iv, it->iv_len, it->aad, it->from_aad,
	               it->in + it->iv_len, it->in_len - it->iv_len, scratch, &n);
	if (it->rv != CKR_OK)
		return;
	if (n != REWRAP_DEK || memcmp(scratch, unwritten, REWRAP_DEK) == 0) {
		it->step = REWRAP_LENGTH;
		return;
	}
	memcpy(dek, scratch, REWRAP_DEK);
	it->step = REWRAP_WRAP;
	it->out_len = REWRAP_ROOM;
	it->rv = crypt(w, w->m ? &w->m->wrap : NULL, 1, to, it->iv, it->new_len, it->aad, it->to_aad,
	               dek, REWRAP_DEK, it->out, &it->out_len);
	if (it->rv != CKR_OK)
		return;
	it->step = REWRAP_AGAIN;
	if (it->appended && !w->m && it->out_len > it->new_len) {
		it->out_len -= it->new_len;
		memcpy(it->iv, it->out + it->out_len, it->new_len);
	}
	memcpy(iv, it->iv, it->new_len);
	memcpy(scratch, unwritten, REWRAP_DEK);
	n = REWRAP_ROOM;
	it->rv = crypt(w, w->m ? &w->m->check : NULL, 0, to, iv, it->new_len, it->aad, it->to_aad,
	               it->out, it->out_len, scratch, &n);
	if (it->rv != CKR_OK)
		return;
	for (ck_ulong i = 0; i < REWRAP_DEK; i++)
		differ |= dek[i] ^ scratch[i];
	it->step = n != REWRAP_DEK || differ ? REWRAP_DIFFERS : REWRAP_DONE;
}

// By messages it stops at the first item that is not done: the rest stays untried.
static void rewrap(struct ck_function_list *f, ck_ulong session, struct lanes *m, ck_ulong to,
                   struct rewrap_item *items, ck_ulong n, ck_byte *scratch) {
	struct way w = { f, session, m };
	for (ck_ulong i = 0; i < n && (!m || i == 0 || items[i - 1].step == REWRAP_DONE); i++) {
		rewrap_one(&w, to, items + i, scratch);
		wipe(scratch, REWRAP_ROOM + REWRAP_DEK);
	}
}

// A first byte of memory for empty slices.
static ck_byte nothing;
static ck_byte *empty(void) { return &nothing; }

// Asks C_Encrypt for the size of its output only, then ends the operation.
static ck_ulong gcm_size(struct ck_function_list *f, ck_ulong session, ck_ulong key,
		ck_byte *iv, ck_ulong iv_len, ck_byte *in, ck_ulong in_len, ck_byte *out, ck_ulong *out_len, ck_ulong *size) {
	struct ck_gcm_params p = { iv, iv_len, iv_len * 8, NULL, 0, 128 };
	struct ck_mechanism m = { CKM_AES_GCM, &p, sizeof p };
	ck_ulong room = *out_len, rv = ((ck_crypt_init)f->place[PLACE_C_ENCRYPT_INIT])(session, &m, key);
	if (rv != CKR_OK)
		return rv;
	rv = ((ck_crypt)f->place[PLACE_C_ENCRYPT])(session, in, in_len, NULL, size);
	if (rv != CKR_OK)
		return rv;
	return within(((ck_crypt)f->place[PLACE_C_ENCRYPT])(session, in, in_len, out, out_len), out_len, room);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/provider/gcm"
)

// login is C_Login with a PIN that stays where it is: no Go string, no copy of
// ours (promise 4). An empty pin is the protected authentication path.
func (f functions) login(session pkcs11.SessionHandle, user uint, pin []byte) error {
	var p *C.ck_byte
	if len(pin) > 0 {
		p = pointer(pin)
	}
	return asError(C.login(f.list, C.ck_ulong(session), C.ck_ulong(user), p, C.ck_ulong(len(pin))))
}

// encrypt and decrypt are one AES-GCM operation with a 128-bit tag into out,
// and return how much of out was filled. The token may write into iv.
func (f functions) encrypt(s pkcs11.SessionHandle, key pkcs11.ObjectHandle, iv, aad, in, out []byte) (int, error) {
	return f.gcm(s, key, 1, iv, aad, in, out)
}

func (f functions) decrypt(s pkcs11.SessionHandle, key pkcs11.ObjectHandle, iv, aad, in, out []byte) (int, error) {
	return f.gcm(s, key, 0, iv, aad, in, out)
}

func (f functions) gcm(
	s pkcs11.SessionHandle, key pkcs11.ObjectHandle, encrypt C.int, iv, aad, in, out []byte,
) (int, error) {
	n := C.ck_ulong(len(out))
	err := asError(C.gcm(f.list, C.ck_ulong(s), C.ck_ulong(key), encrypt,
		pointer(iv), C.ck_ulong(len(iv)), pointer(aad), C.ck_ulong(len(aad)),
		pointer(in), C.ck_ulong(len(in)), pointer(out), &n))
	return int(n), err
}

// sign is one signature by a mechanism without parameters into out, and returns how much of
// it was filled.
func (f functions) sign(
	s pkcs11.SessionHandle, mechanism uint, key pkcs11.ObjectHandle, in, out []byte,
) (int, error) {
	n := C.ck_ulong(len(out))
	err := asError(C.sign(f.list, C.ck_ulong(s), C.ck_ulong(mechanism), C.ck_ulong(key),
		pointer(in), C.ck_ulong(len(in)), pointer(out), &n))
	return int(n), err
}

// size encrypts as encrypt does, but asks for the output's size first.
func (f functions) size(s pkcs11.SessionHandle, key pkcs11.ObjectHandle, iv, in, out []byte) (size, n int, err error) {
	cn, csize := C.ck_ulong(len(out)), C.ck_ulong(0)
	err = asError(C.gcm_size(f.list, C.ck_ulong(s), C.ck_ulong(key), pointer(iv), C.ck_ulong(len(iv)),
		pointer(in), C.ck_ulong(len(in)), pointer(out), &cn, &csize))
	return int(csize), int(cn), err
}

// item is one envelope of a chunk.
type item = C.struct_rewrap_item

// rewrap does a chunk of items in one call, by messages if there are lanes; each tells by itself
// what came of it. scratch is locked memory of scratchSize bytes.
func (f functions) rewrap(s pkcs11.SessionHandle, m *lanes, to pkcs11.ObjectHandle, items []item, scratch []byte) {
	C.rewrap(f.list, C.ck_ulong(s), m, C.ck_ulong(to), unsafe.SliceData(items), C.ck_ulong(len(items)),
		pointer(scratch[:scratchSize]))
}

// newItem lays out a wrapped DEK, taken apart, with the IV for the new one.
func newItem(from pkcs11.ObjectHandle, w gcm.Wrapped, iv []byte, mode ivMode) item {
	it := item{
		from: C.ck_ulong(from), iv_len: C.ck_ulong(len(w.IV)),
		in_len: C.ck_ulong(len(w.IV) + len(w.Sealed)), new_len: C.ck_ulong(len(iv)),
	}
	if mode == ivAppended {
		it.appended = 1
	}
	in := bytesOf(it.in[:])
	copy(in[copy(in, w.IV):], w.Sealed)
	copy(bytesOf(it.iv[:]), iv)
	return it
}

// bind has the wraps of an item authenticate a binding: that of the key it comes from, or of the key
// it goes to, or both, or none.
func bind(it *item, from, to []byte) error {
	if max(len(from), len(to)) > C.REWRAP_AAD_MAX {
		return fmt.Errorf("a binding of %d bytes, want at most %d", max(len(from), len(to)), C.REWRAP_AAD_MAX)
	}
	copy(bytesOf(it.aad[:]), from)
	copy(bytesOf(it.aad[:]), to) // the same bytes, where both are bound
	it.from_aad, it.to_aad = C.ck_ulong(len(from)), C.ck_ulong(len(to))
	return nil
}

func bytesOf(b []C.ck_byte) []byte {
	return unsafe.Slice((*byte)(unsafe.SliceData(b)), len(b))
}

// result of an item is the new wrapped DEK, IV || sealed, or the error of the step that failed.
func result(it *item, given []byte, mode ivMode) ([]byte, error) {
	fail := named(asError(it.rv))
	switch it.step {
	case C.REWRAP_UNTRIED:
		return nil, errUntried
	case C.REWRAP_UNWRAP, C.REWRAP_WRAP:
		return nil, fail
	case C.REWRAP_LENGTH:
		return nil, errors.New("it unwraps to something that is no DEK")
	case C.REWRAP_AGAIN:
		return nil, fmt.Errorf("unwrap what was just wrapped: %w", fail)
	case C.REWRAP_DIFFERS:
		return nil, errDiffers
	}
	iv, sealed := bytesOf(it.iv[:])[:it.new_len], bytesOf(it.out[:])[:it.out_len]
	if err := checkAnswer(mode, given, iv, len(sealed)); err != nil {
		return nil, err
	}
	return slices.Concat(iv, sealed), nil
}

var (
	errUntried = errors.New("it was not tried: a message before it failed")
	errDiffers = errors.New("what was just wrapped unwraps to another value")
)

// initOptions are for C_Initialize. The text stays allocated: the module may keep
// the pointer.
func initOptions(args string) []pkcs11.InitializeOption {
	if args == "" {
		return nil
	}
	return []pkcs11.InitializeOption{pkcs11.InitializeWithReserved(unsafe.Pointer(C.CString(args)))}
}

func pointer(b []byte) *C.ck_byte {
	if len(b) == 0 {
		return C.empty()
	}
	return (*C.ck_byte)(unsafe.Pointer(unsafe.SliceData(b)))
}

func asError(rv C.ck_ulong) error {
	switch rv {
	case C.CKR_OK:
		return nil
	case C.ANSWER_TOO_LONG:
		return errTooLong
	case C.ANSWER_CHANGED:
		return errChanged
	}
	return pkcs11.Error(rv)
}
