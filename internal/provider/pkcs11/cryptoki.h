/* The part of PKCS#11 v2.40 (OASIS, pkcs11-base) that this package calls by
 * itself. The function list is an array of pointers in the order of the
 * standard's CK_FUNCTION_LIST; only the places used here have a name. */
#ifndef KEKCEREMONY_CRYPTOKI_H
#define KEKCEREMONY_CRYPTOKI_H

#include <stddef.h>

typedef unsigned char ck_byte;
typedef unsigned long ck_ulong;

#define CKR_OK 0x0UL
#define CKM_AES_GCM 0x1087UL

/* No return value of the standard's: the module reports more than it had room for. */
#define ANSWER_TOO_LONG (~0UL)

enum {
	PLACE_C_GET_SLOT_LIST = 4,
	PLACE_C_LOGIN = 18,
	PLACE_C_GET_ATTRIBUTE_VALUE = 24,
	PLACE_C_FIND_OBJECTS = 27,
	PLACE_C_ENCRYPT_INIT = 29,
	PLACE_C_ENCRYPT = 30,
	PLACE_C_DECRYPT_INIT = 33,
	PLACE_C_DECRYPT = 34,
	PLACE_C_SIGN_INIT = 42,
	PLACE_C_SIGN = 43,
	PLACE_COUNT = 68
};

struct ck_function_list {
	struct { ck_byte major, minor; } version;
	void (*place[PLACE_COUNT])(void);
};

struct ck_mechanism {
	ck_ulong mechanism;
	void *parameter;
	ck_ulong parameter_len;
};

/* v2.40's text leaves iv_bits out; its header, which is normative, has it. */
struct ck_gcm_params {
	ck_byte *iv;
	ck_ulong iv_len;
	ck_ulong iv_bits;
	ck_byte *aad;
	ck_ulong aad_len;
	ck_ulong tag_bits;
};

struct ck_attribute {
	ck_ulong type;
	void *value;
	ck_ulong len;
};

typedef ck_ulong (*ck_get_slot_list)(ck_byte present, ck_ulong *slots, ck_ulong *n);
typedef ck_ulong (*ck_get_attribute_value)(ck_ulong session, ck_ulong object, struct ck_attribute *, ck_ulong n);
typedef ck_ulong (*ck_find_objects)(ck_ulong session, ck_ulong *objects, ck_ulong max, ck_ulong *n);
typedef ck_ulong (*ck_login)(ck_ulong session, ck_ulong user, ck_byte *pin, ck_ulong pin_len);
typedef ck_ulong (*ck_crypt_init)(ck_ulong session, struct ck_mechanism *, ck_ulong key);
typedef ck_ulong (*ck_crypt)(ck_ulong session, ck_byte *in, ck_ulong in_len, ck_byte *out, ck_ulong *out_len);

/* Stands around every call whose answer has a length: a length beyond the room is an
 * error before anything is read. */
static inline ck_ulong within(ck_ulong rv, const ck_ulong *len, ck_ulong room) {
	return rv == CKR_OK && *len > room ? ANSWER_TOO_LONG : rv;
}

#endif
