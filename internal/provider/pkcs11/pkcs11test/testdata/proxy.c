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
 *   gcm-fails    CKM_AES_GCM is listed, and C_EncryptInit refuses it
 *   written-iv   only 12 zeros are taken for an IV, and the token's own written
 *                over them, as AWS CloudHSM does
 *   constant-iv  the same, and it is always the same one
 *   appended-iv  the token makes an IV of 16 bytes and appends it to the answer,
 *                as Luna in FIPS mode
 *   small-size   a size query answers 16 bytes too few, as NSS
 *   corrupt      a bit of every answer of C_Encrypt is wrong
 *   other-key    wrapping uses a key that nobody asked for
 *   mute         CKA_LOCAL and its like cannot be read
 *   pin-low, pin-final, pin-locked: the flags of the token
 *   pin-turns    at the final try, from the second look on
 *   pin-path     the token has a keypad: C_Login takes no PIN
 *   lost-reply   a key is made on the token, and the answer is CKR_DEVICE_ERROR
 *   FUNCTION=N:RV  the Nth call of C_FUNCTION, since this variable was set to what
 *                it is, answers RV (hex)
 *   FUNCTION+N:RV  so does every one after it
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
	PLACE_C_INITIALIZE = 0,
	PLACE_C_GET_TOKEN_INFO = 6,
	PLACE_C_GET_MECHANISM_LIST = 7,
	PLACE_C_GET_MECHANISM_INFO = 8,
	PLACE_C_OPEN_SESSION = 12,
	PLACE_C_GET_ATTRIBUTE_VALUE = 24,
	PLACE_C_FIND_OBJECTS_INIT = 26,
	PLACE_C_GENERATE_KEY = 58
};

#define CKA_TOKEN 0x1UL
#define CKA_SENSITIVE 0x103UL
#define CKA_EXTRACTABLE 0x162UL
#define CKA_LOCAL 0x163UL
#define CKR_MECHANISM_INVALID 0x70UL
#define CKR_FUNCTION_FAILED 0x06UL
#define CKR_DEVICE_REMOVED 0x32UL
#define CKR_DEVICE_ERROR 0x30UL
#define CKR_ATTRIBUTE_TYPE_INVALID 0x12UL
#define CKR_MECHANISM_PARAM_INVALID 0x71UL
#define CKA_ALWAYS_SENSITIVE 0x165UL
#define CKA_NEVER_EXTRACTABLE 0x164UL
#define CKF_PROTECTED_AUTHENTICATION_PATH 0x100UL
#define CKF_USER_PIN_COUNT_LOW 0x10000UL
#define CKF_USER_PIN_FINAL_TRY 0x20000UL
#define CKF_USER_PIN_LOCKED 0x40000UL

struct token_info {
	ck_byte label[32], manufacturer[32], model[16], serial[16];
	ck_ulong flags;
};

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

/* How often a function was called since KEK_PROXY was set to what it is. */
struct calls {
	atomic_int n;
	atomic_ulong of; /* digest of KEK_PROXY */
};

/* fault counts a call of a function and says what it is to answer: CKR_OK to go on. */
static ck_ulong fault(const char *name, struct calls *calls) {
	const char *all = getenv("KEK_PROXY");
	unsigned long digest = 5381;
	for (const char *c = all; c && *c; c++)
		digest = digest * 33 + (unsigned char)*c;
	if (atomic_exchange(&calls->of, digest) != digest)
		atomic_store(&calls->n, 0);
	int n = atomic_fetch_add(&calls->n, 1) + 1;
	size_t len = strlen(name);
	for (const char *at = all; at && (at = strstr(at, name)); at += len) {
		char *end;
		if (at[len] != '=' && at[len] != '+')
			continue;
		long from = strtol(at + len + 1, &end, 10);
		if (*end == ':' && (n == from || (at[len] == '+' && n > from)))
			return strtoul(end + 1, NULL, 16);
	}
	return CKR_OK;
}

#define FAULT(name) \
	static struct calls calls; \
	ck_ulong wrong = fault(name, &calls); \
	if (wrong != CKR_OK) \
		return wrong

static ck_ulong initialize(void *args) {
	FAULT("Initialize");
	return ((ck_ulong (*)(void *))real->place[PLACE_C_INITIALIZE])(args);
}

static ck_ulong open_session(ck_ulong slot, ck_ulong flags, void *app, void *notify, ck_ulong *session) {
	FAULT("OpenSession");
	return ((ck_ulong (*)(ck_ulong, ck_ulong, void *, void *, ck_ulong *))real->place[PLACE_C_OPEN_SESSION])(slot, flags, app, notify, session);
}

static ck_ulong find_init(ck_ulong session, void *template, ck_ulong n) {
	FAULT("FindObjectsInit");
	return ((ck_ulong (*)(ck_ulong, void *, ck_ulong))real->place[PLACE_C_FIND_OBJECTS_INIT])(session, template, n);
}

static ck_ulong token_info(ck_ulong slot, struct token_info *out) {
	static atomic_int looks;
	FAULT("GetTokenInfo");
	ck_ulong rv = ((ck_ulong (*)(ck_ulong, void *))real->place[PLACE_C_GET_TOKEN_INFO])(slot, out);
	if (rv != CKR_OK)
		return rv;
	if (mode("pin-low"))
		out->flags |= CKF_USER_PIN_COUNT_LOW;
	if (mode("pin-final") || (mode("pin-turns") && atomic_fetch_add(&looks, 1) >= 1))
		out->flags |= CKF_USER_PIN_FINAL_TRY;
	if (mode("pin-locked"))
		out->flags |= CKF_USER_PIN_LOCKED;
	if (mode("pin-path"))
		out->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
	return rv;
}

static ck_ulong log_in(ck_ulong session, ck_ulong user, ck_byte *pin, ck_ulong len) {
	FAULT("Login");
	const char *path = getenv("KEK_PROXY_LOG");
	FILE *f = path ? fopen(path, "a") : NULL;
	if (f) {
		fprintf(f, "login\n");
		fclose(f);
	}
	if (mode("pin-path")) {
		if (pin || len)
			return 0xa2; /* CKR_PIN_LEN_RANGE: it takes none */
		return ((ck_login)real->place[PLACE_C_LOGIN])(session, user, (ck_byte *)"1234", 4);
	}
	return ((ck_login)real->place[PLACE_C_LOGIN])(session, user, pin, len);
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
	FAULT("GenerateKey");
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
	ck_ulong rv = ((generate_key)real->place[PLACE_C_GENERATE_KEY])(session, m, copy, n, key);
	return rv == CKR_OK && token && mode("lost-reply") ? CKR_DEVICE_ERROR : rv;
}

static ck_ulong attribute(ck_ulong session, ck_ulong key, struct attribute *a, ck_ulong n) {
	FAULT("GetAttributeValue");
	for (ck_ulong i = 0; i < n; i++)
		if (mode("mute") && (a[i].type == CKA_LOCAL || a[i].type == CKA_ALWAYS_SENSITIVE || a[i].type == CKA_NEVER_EXTRACTABLE))
			return CKR_ATTRIBUTE_TYPE_INVALID;
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

/* IVs that the token made, by session, until C_Encrypt appends them. */
static ck_byte appended[256][16];

static void draw(ck_byte *out, size_t n) {
	FILE *f = fopen("/dev/urandom", "r");
	if (!f || fread(out, 1, n, f) != n)
		abort();
	fclose(f);
}

static ck_ulong own_iv(ck_ulong session, struct ck_mechanism *m, ck_ulong key) {
	static const ck_byte zeros[12];
	struct ck_gcm_params p = *(struct ck_gcm_params *)m->parameter;
	struct ck_mechanism mine = { CKM_AES_GCM, &p, sizeof p };
	if (mode("appended-iv")) {
		draw(appended[session % 256], 16);
		p.iv = appended[session % 256];
		p.iv_len = 16;
		p.iv_bits = 128;
	} else if (p.iv_len != 12 || memcmp(p.iv, zeros, 12)) {
		return CKR_MECHANISM_PARAM_INVALID;
	} else if (mode("constant-iv")) {
		memset(p.iv, 7, 12);
	} else {
		draw(p.iv, 12);
	}
	return ((ck_crypt_init)real->place[PLACE_C_ENCRYPT_INIT])(session, &mine, key);
}

static ck_ulong encrypt_init(ck_ulong session, struct ck_mechanism *m, ck_ulong key) {
	if (mode("slow"))
		usleep(2000);
	FAULT("EncryptInit");
	ck_ulong rv = leave(arrive());
	if (rv != CKR_OK)
		return rv;
	if (mode("gcm-fails"))
		return CKR_MECHANISM_INVALID;
	if (mode("other-key")) {
		static ck_ulong other;
		if (!other) {
			static ck_byte yes = 1;
			static ck_ulong size = 32, class = 4, type = 0x1f;
			struct attribute a[] = { { 0, &class, sizeof class }, { 0x100, &type, sizeof type }, { 0x161, &size, sizeof size }, { 0x104, &yes, 1 }, { 0x105, &yes, 1 } };
			struct ck_mechanism gen = { 0x1080, NULL, 0 };
			rv = ((generate_key)real->place[PLACE_C_GENERATE_KEY])(session, &gen, a, 5, &other);
			if (rv != CKR_OK)
				return rv;
		}
		key = other;
	}
	if (mode("written-iv") || mode("constant-iv") || mode("appended-iv"))
		return own_iv(session, m, key);
	if (m->mechanism != CKM_AES_GCM || !mode("zero-iv"))
		return ((ck_crypt_init)real->place[PLACE_C_ENCRYPT_INIT])(session, m, key);
	keep(m, key);
	struct ck_mechanism zero = { CKM_AES_GCM, &last.p, sizeof last.p };
	return ((ck_crypt_init)real->place[PLACE_C_ENCRYPT_INIT])(session, &zero, key);
}

static ck_ulong decrypt_init(ck_ulong session, struct ck_mechanism *m, ck_ulong key) {
	FAULT("DecryptInit");
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
	FAULT("Decrypt");
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
	FAULT("Encrypt");
	ck_ulong rv = arrive(), room = out_n ? *out_n : 0;
	if (rv == CKR_OK)
		rv = ((ck_crypt)real->place[PLACE_C_ENCRYPT])(session, in, n, out, out_n);
	if (rv == CKR_OK && !out && mode("small-size"))
		*out_n -= 16;
	if (rv == CKR_OK && out && mode("corrupt"))
		out[0] ^= 1;
	if (rv == CKR_OK && mode("appended-iv")) {
		if (out && *out_n + 16 > room)
			return leave(0x150); /* CKR_BUFFER_TOO_SMALL */
		if (out)
			memcpy(out + *out_n, appended[session % 256], 16);
		*out_n += 16;
	}
	return leave(rv);
}

ck_ulong C_GetFunctionList(struct ck_function_list **list) {
	const char *path = getenv("KEK_PROXY_MODULE");
	void *handle = path ? dlopen(path, RTLD_NOW) : NULL;
	ck_ulong (*get)(struct ck_function_list **) = handle ? (ck_ulong (*)(struct ck_function_list **))dlsym(handle, "C_GetFunctionList") : NULL;
	ck_ulong rv = get ? get(&real) : 0x5;
	if (rv != CKR_OK)
		return rv;
	fake = *real;
	fake.place[PLACE_C_INITIALIZE] = (void (*)(void))initialize;
	fake.place[PLACE_C_GET_TOKEN_INFO] = (void (*)(void))token_info;
	fake.place[PLACE_C_OPEN_SESSION] = (void (*)(void))open_session;
	fake.place[PLACE_C_FIND_OBJECTS_INIT] = (void (*)(void))find_init;
	fake.place[PLACE_C_LOGIN] = (void (*)(void))log_in;
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
