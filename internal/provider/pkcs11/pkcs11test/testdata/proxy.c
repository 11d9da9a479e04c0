/* A PKCS#11 module that passes every call on to SoftHSM2, and misbehaves as
 * KEK_PROXY says: a comma list of
 *   ignore-tag   C_Decrypt never looks at the tag
 *   zero-iv      every IV is taken as zeros, whatever is passed
 *   hide-gcm     CKM_AES_GCM is not there
 *   extractable  keys come out extractable and not sensitive
 *   not-local    CKA_LOCAL reads false
 *   slow         each wrap takes 2 ms longer, a key on the token a second
 *   latency      each call of a cipher takes 1 ms longer, on every session by
 *                itself, as on a network
 *   busy         a cipher refuses a fourth call at one time (CKR_FUNCTION_FAILED)
 * While the file KEK_PROXY_GONE is there, the token is not.
 * It appends a line to the file KEK_PROXY_LOG for each key generated:
 * "token" or "session". */
#define _DEFAULT_SOURCE /* usleep */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../cryptoki.h"

enum {
	PLACE_C_GET_MECHANISM_LIST = 7,
	PLACE_C_GET_MECHANISM_INFO = 8,
	PLACE_C_GET_ATTRIBUTE_VALUE = 24,
	PLACE_C_GENERATE_KEY = 58
};

#define CKA_TOKEN 0x1UL
#define CKA_SENSITIVE 0x103UL
#define CKA_EXTRACTABLE 0x162UL
#define CKA_LOCAL 0x163UL
#define CKR_MECHANISM_INVALID 0x70UL
#define CKR_FUNCTION_FAILED 0x06UL
#define CKR_DEVICE_REMOVED 0x32UL

struct attribute {
	ck_ulong type;
	void *value;
	ck_ulong len;
};

typedef ck_ulong (*mechanism_info)(ck_ulong, ck_ulong, void *);
typedef ck_ulong (*get_attribute)(ck_ulong, ck_ulong, struct attribute *, ck_ulong);
typedef ck_ulong (*generate_key)(ck_ulong, struct ck_mechanism *, struct attribute *, ck_ulong, ck_ulong *);

static struct ck_function_list *real;
static struct ck_function_list fake;

static int mode(const char *name) {
	const char *all = getenv("KEK_PROXY");
	return all && strstr(all, name) != NULL;
}

static ck_ulong info(ck_ulong slot, ck_ulong type, void *out) {
	if (type == CKM_AES_GCM && mode("hide-gcm"))
		return CKR_MECHANISM_INVALID;
	return ((mechanism_info)real->place[PLACE_C_GET_MECHANISM_INFO])(slot, type, out);
}

static ck_ulong generate(ck_ulong session, struct ck_mechanism *m, struct attribute *a, ck_ulong n, ck_ulong *key) {
	static ck_byte yes = 1, no = 0;
	struct attribute copy[64];
	int token = 0;
	if (n > 64)
		return 0x5; /* CKR_GENERAL_ERROR */
	memcpy(copy, a, n * sizeof *a);
	for (ck_ulong i = 0; i < n; i++) {
		if (copy[i].type == CKA_TOKEN)
			token = *(ck_byte *)copy[i].value;
		if (copy[i].type == CKA_EXTRACTABLE && mode("extractable"))
			copy[i].value = &yes;
		if (copy[i].type == CKA_SENSITIVE && mode("extractable"))
			copy[i].value = &no;
	}
	if (token && mode("slow"))
		usleep(1000000);
	const char *path = getenv("KEK_PROXY_LOG");
	FILE *f = path ? fopen(path, "a") : NULL;
	if (f) {
		fprintf(f, "%s\n", token ? "token" : "session");
		fclose(f);
	}
	return ((generate_key)real->place[PLACE_C_GENERATE_KEY])(session, m, copy, n, key);
}

static ck_ulong attribute(ck_ulong session, ck_ulong key, struct attribute *a, ck_ulong n) {
	ck_ulong rv = ((get_attribute)real->place[PLACE_C_GET_ATTRIBUTE_VALUE])(session, key, a, n);
	for (ck_ulong i = 0; rv == CKR_OK && i < n; i++)
		if (a[i].type == CKA_LOCAL && a[i].value && mode("not-local"))
			*(ck_byte *)a[i].value = 0;
	return rv;
}

/* What C_DecryptInit was last asked for, of the one session in use. */
static struct {
	ck_ulong key;
	ck_byte iv[64], aad[256];
	struct ck_gcm_params p;
} last;

static void keep(struct ck_mechanism *m, ck_ulong key) {
	last.key = key;
	last.p = *(struct ck_gcm_params *)m->parameter;
	memcpy(last.iv, last.p.iv, last.p.iv_len);
	last.p.iv = last.iv;
	if (last.p.aad_len)
		memcpy(last.aad, last.p.aad, last.p.aad_len);
	last.p.aad = last.p.aad_len ? last.aad : NULL;
	if (mode("zero-iv"))
		memset(last.iv, 0, sizeof last.iv);
}

/* arrive and leave stand around every call of a cipher. */
static atomic_int at_once;

static ck_ulong arrive(void) {
	const char *gone = getenv("KEK_PROXY_GONE");
	int n = atomic_fetch_add(&at_once, 1);
	if (mode("latency") || mode("busy"))
		usleep(1000);
	if (gone && access(gone, F_OK) == 0)
		return CKR_DEVICE_REMOVED;
	return mode("busy") && n >= 3 ? CKR_FUNCTION_FAILED : CKR_OK;
}

static ck_ulong leave(ck_ulong rv) {
	atomic_fetch_sub(&at_once, 1);
	return rv;
}

static ck_ulong encrypt_init(ck_ulong session, struct ck_mechanism *m, ck_ulong key) {
	if (mode("slow"))
		usleep(2000);
	ck_ulong rv = leave(arrive());
	if (rv != CKR_OK)
		return rv;
	if (m->mechanism != CKM_AES_GCM || !mode("zero-iv"))
		return ((ck_crypt_init)real->place[PLACE_C_ENCRYPT_INIT])(session, m, key);
	keep(m, key);
	struct ck_mechanism zero = { CKM_AES_GCM, &last.p, sizeof last.p };
	return ((ck_crypt_init)real->place[PLACE_C_ENCRYPT_INIT])(session, &zero, key);
}

static ck_ulong decrypt_init(ck_ulong session, struct ck_mechanism *m, ck_ulong key) {
	ck_ulong rv = leave(arrive());
	if (rv != CKR_OK)
		return rv;
	if (m->mechanism != CKM_AES_GCM || !(mode("zero-iv") || mode("ignore-tag")))
		return ((ck_crypt_init)real->place[PLACE_C_DECRYPT_INIT])(session, m, key);
	keep(m, key);
	struct ck_mechanism mine = { CKM_AES_GCM, &last.p, sizeof last.p };
	if (mode("ignore-tag")) /* GCM is a stream cipher: encrypting again decrypts, and nothing looks at a tag */
		return ((ck_crypt_init)real->place[PLACE_C_ENCRYPT_INIT])(session, &mine, key);
	return ((ck_crypt_init)real->place[PLACE_C_DECRYPT_INIT])(session, &mine, key);
}

static ck_ulong decrypt(ck_ulong session, ck_byte *in, ck_ulong n, ck_byte *out, ck_ulong *out_n) {
	ck_ulong rv = arrive();
	if (rv != CKR_OK)
		return leave(rv);
	if (!mode("ignore-tag"))
		return leave(((ck_crypt)real->place[PLACE_C_DECRYPT])(session, in, n, out, out_n));
	ck_byte room[1024];
	ck_ulong room_n = sizeof room;
	rv = ((ck_crypt)real->place[PLACE_C_ENCRYPT])(session, in, n - 16, room, &room_n);
	if (rv == CKR_OK) {
		memcpy(out, room, n - 16);
		*out_n = n - 16;
	}
	return leave(rv);
}

static ck_ulong encrypt(ck_ulong session, ck_byte *in, ck_ulong n, ck_byte *out, ck_ulong *out_n) {
	ck_ulong rv = arrive();
	return leave(rv != CKR_OK ? rv : ((ck_crypt)real->place[PLACE_C_ENCRYPT])(session, in, n, out, out_n));
}

ck_ulong C_GetFunctionList(struct ck_function_list **list) {
	const char *path = getenv("KEK_PROXY_MODULE");
	void *handle = path ? dlopen(path, RTLD_NOW) : NULL;
	ck_ulong (*get)(struct ck_function_list **) = handle ? (ck_ulong (*)(struct ck_function_list **))dlsym(handle, "C_GetFunctionList") : NULL;
	ck_ulong rv = get ? get(&real) : 0x5;
	if (rv != CKR_OK)
		return rv;
	fake = *real;
	fake.place[PLACE_C_GET_MECHANISM_INFO] = (void (*)(void))info;
	fake.place[PLACE_C_GET_ATTRIBUTE_VALUE] = (void (*)(void))attribute;
	fake.place[PLACE_C_GENERATE_KEY] = (void (*)(void))generate;
	fake.place[PLACE_C_ENCRYPT] = (void (*)(void))encrypt;
	fake.place[PLACE_C_ENCRYPT_INIT] = (void (*)(void))encrypt_init;
	fake.place[PLACE_C_DECRYPT_INIT] = (void (*)(void))decrypt_init;
	fake.place[PLACE_C_DECRYPT] = (void (*)(void))decrypt;
	*list = &fake;
	return CKR_OK;
}
