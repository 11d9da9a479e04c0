/* AES-GCM by the messages of PKCS#11 3.0 (OASIS, pkcs11-spec 5.9 and 5.11, pkcs11-curr
 * CK_GCM_MESSAGE_PARAMS): one call for each operation. A session is in one message
 * operation at a time, with one key and in one direction, until it is ended. */
#ifndef KEKCEREMONY_MESSAGE_H
#define KEKCEREMONY_MESSAGE_H

#include <stdlib.h>
#include <string.h>

#include "cryptoki.h"

#define GCM_TAG_BYTES 16
#define CKR_ARGUMENTS_BAD 0x07UL
#define CKR_MECHANISM_PARAM_INVALID 0x71UL

/* Who makes the IV. CKG_GENERATE and the counters are never asked for: NSS softokn counts
 * from zero anew in each operation, so two sessions would make the same IVs. */
#define CKG_NO_GENERATE 0UL
#define CKG_GENERATE_RANDOM 3UL

/* No return value of the standard's: the module changed what it was given, or wrote beyond it. */
#define ANSWER_CHANGED (~0UL - 1)

#define CKF_MESSAGES 0x6UL /* CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT */

/* In the function list of 3.0; those from 68 on are not in that of 2.40. */
enum {
	PLACE_C_GET_MECHANISM_INFO = 8,
	PLACE_C_MESSAGE_ENCRYPT_INIT = 72,
	PLACE_C_ENCRYPT_MESSAGE = 73,
	PLACE_C_MESSAGE_ENCRYPT_FINAL = 76,
	PLACE_C_MESSAGE_DECRYPT_INIT = 77,
	PLACE_C_DECRYPT_MESSAGE = 78,
	PLACE_C_MESSAGE_DECRYPT_FINAL = 81,
	PLACE_COUNT_3 = 92
};

struct ck_function_list_3 {
	struct { ck_byte major, minor; } version;
	void (*place[PLACE_COUNT_3])(void);
};

struct ck_interface {
	ck_byte *name;
	void *list;
	ck_ulong flags;
};

struct ck_mechanism_info {
	ck_ulong min_key, max_key, flags;
};

struct ck_gcm_message_params {
	ck_byte *iv;
	ck_ulong iv_len, iv_fixed_bits, generator;
	ck_byte *tag;
	ck_ulong tag_bits;
};

typedef ck_ulong (*ck_get_interface)(const char *name, void *version, struct ck_interface **, ck_ulong flags);
typedef ck_ulong (*ck_get_mechanism_info)(ck_ulong slot, ck_ulong mechanism, struct ck_mechanism_info *);
typedef ck_ulong (*ck_message_final)(ck_ulong session);
typedef ck_ulong (*ck_message)(ck_ulong session, void *params, ck_ulong params_len, ck_byte *aad, ck_ulong aad_len,
                               ck_byte *in, ck_ulong in_len, ck_byte *out, ck_ulong *out_len);

/* One direction's functions. */
struct direction {
	ck_crypt_init init;
	ck_message message;
	ck_message_final final;
};

/* Parameters with which an operation was begun. They are never freed: the module may keep the pointers. */
struct kept {
	struct ck_gcm_message_params params;
	ck_byte iv[64], tag[64];
};

/* What a session of its own does by messages, all with one key. */
struct lane {
	ck_ulong session;
	ck_ulong key;
	int begun; /* an operation with the key */
	struct kept *kept;
};

/* What one session re-wraps by: a lane for each of the three operations. */
struct lanes {
	struct direction encrypt, decrypt;
	ck_ulong generator;
	struct lane unwrap, wrap, check;
};

static inline const struct direction *direction_of(const struct lanes *m, const struct lane *l) {
	return l == &m->wrap ? &m->encrypt : &m->decrypt;
}

static inline void lane_end(const struct lanes *m, struct lane *l) {
	if (l->begun)
		direction_of(m, l)->final(l->session);
	l->begun = 0;
}

static inline ck_ulong lane_begin(const struct lanes *m, struct lane *l, ck_ulong key, ck_ulong iv_len) {
	struct ck_mechanism gcm = { CKM_AES_GCM, NULL, 0 };
	if (l->begun && l->key == key)
		return CKR_OK;
	lane_end(m, l);
	ck_ulong rv = direction_of(m, l)->init(l->session, &gcm, key);
	if (rv == CKR_MECHANISM_PARAM_INVALID || rv == CKR_ARGUMENTS_BAD) { /* some want parameters here as well */
		struct kept *k = l->kept = l->kept ? l->kept : calloc(1, sizeof *k);
		if (!k)
			return rv;
		k->params = (struct ck_gcm_message_params){
			k->iv, iv_len, 0, l == &m->wrap ? m->generator : CKG_NO_GENERATE, k->tag, 8 * GCM_TAG_BYTES
		};
		gcm.parameter = &k->params;
		gcm.parameter_len = sizeof k->params;
		rv = direction_of(m, l)->init(l->session, &gcm, key);
	}
	l->begun = rv == CKR_OK;
	l->key = key;
	return rv;
}

/* One operation with a 128-bit tag, which stands after the ciphertext here as it does where two
 * calls do the operation. The tag has room for one that is too long, which is refused. */
static inline ck_ulong gcm_message(const struct lanes *m, struct lane *l, ck_ulong key, ck_byte *iv, ck_ulong iv_len,
                                   ck_byte *aad, ck_ulong aad_len, ck_byte *in, ck_ulong in_len,
                                   ck_byte *out, ck_ulong *out_len) {
	int encrypt = l == &m->wrap;
	ck_byte tag[8 * GCM_TAG_BYTES] = { 0 }, beyond = 0;
	struct ck_gcm_message_params given = {
		iv, iv_len, 0, encrypt ? m->generator : CKG_NO_GENERATE, tag, 8 * GCM_TAG_BYTES
	}, p = given;
	ck_ulong room = *out_len, rv;
	if ((encrypt ? room : in_len) < GCM_TAG_BYTES)
		return ANSWER_TOO_LONG;
	if (encrypt) {
		room -= GCM_TAG_BYTES;
	} else {
		in_len -= GCM_TAG_BYTES;
		memcpy(tag, in + in_len, GCM_TAG_BYTES);
	}
	rv = lane_begin(m, l, key, iv_len);
	if (rv != CKR_OK)
		return rv;
	*out_len = room;
	rv = direction_of(m, l)->message(l->session, &p, sizeof p, aad_len ? aad : NULL, aad_len, in, in_len, out, out_len);
	rv = within(rv, out_len, room);
	for (ck_ulong i = GCM_TAG_BYTES; i < sizeof tag; i++)
		beyond |= tag[i];
	if (rv == CKR_OK && (beyond || memcmp(&p, &given, sizeof p)))
		return ANSWER_CHANGED;
	if (rv == CKR_OK && encrypt) {
		memcpy(out + *out_len, tag, GCM_TAG_BYTES);
		*out_len += GCM_TAG_BYTES;
	}
	return rv;
}

#endif
