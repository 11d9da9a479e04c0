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

enum {
	PLACE_C_LOGIN = 18,
	PLACE_C_ENCRYPT_INIT = 29,
	PLACE_C_ENCRYPT = 30,
	PLACE_C_DECRYPT_INIT = 33,
	PLACE_C_DECRYPT = 34,
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

typedef ck_ulong (*ck_login)(ck_ulong session, ck_ulong user, ck_byte *pin, ck_ulong pin_len);
typedef ck_ulong (*ck_crypt_init)(ck_ulong session, struct ck_mechanism *, ck_ulong key);
typedef ck_ulong (*ck_crypt)(ck_ulong session, ck_byte *in, ck_ulong in_len, ck_byte *out, ck_ulong *out_len);

#endif
