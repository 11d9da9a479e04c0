/* The raw loop: N times unwrap, wrap, unwrap again and compare, on one session
 * of a PKCS#11 module, with two AES keys made for it. Prints the seconds.
 * With "idle" a second thread is there and does nothing: the C library and the
 * kernel then lock what one thread alone need not.
 * loop MODULE TOKEN-LABEL PIN N [idle] */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../provider/pkcs11/cryptoki.h"

enum {
	PLACE_C_INITIALIZE = 0, PLACE_C_GET_TOKEN_INFO = 6,
	PLACE_C_OPEN_SESSION = 12, PLACE_C_GENERATE_KEY = 58
};

struct attribute { ck_ulong type; void *value; ck_ulong len; };

static struct ck_function_list *f;
static ck_ulong session;

static void must(ck_ulong rv, const char *what) {
	if (rv != CKR_OK) {
		fprintf(stderr, "%s: 0x%lx\n", what, rv);
		exit(1);
	}
}

static ck_ulong gcm(int init, int run, ck_ulong key, ck_byte *iv, ck_byte *in, ck_ulong n, ck_byte *out) {
	struct ck_gcm_params p = { iv, 12, 96, NULL, 0, 128 };
	struct ck_mechanism m = { CKM_AES_GCM, &p, sizeof p };
	ck_ulong out_n = 256;
	must(((ck_crypt_init)f->place[init])(session, &m, key), "init");
	must(((ck_crypt)f->place[run])(session, in, n, out, &out_n), "run");
	return out_n;
}

static ck_ulong key(void) {
	ck_ulong class = 4, type = 0x1f, len = 32, h; /* CKO_SECRET_KEY, CKK_AES */
	ck_byte yes = 1, no = 0;
	struct attribute a[] = { {0, &class, sizeof class}, {0x100, &type, sizeof type}, {0x161, &len, sizeof len},
		{1, &yes, 1}, {2, &yes, 1}, {0x103, &yes, 1}, {0x162, &no, 1}, {0x104, &yes, 1}, {0x105, &yes, 1} };
	struct ck_mechanism m = { 0x1080, NULL, 0 }; /* CKM_AES_KEY_GEN */
	must(((ck_ulong (*)(ck_ulong, struct ck_mechanism *, struct attribute *, ck_ulong, ck_ulong *))f->place[PLACE_C_GENERATE_KEY])
		(session, &m, a, sizeof a / sizeof *a, &h), "C_GenerateKey");
	return h;
}

static void fill(FILE *random, ck_byte *b, size_t n) {
	if (fread(b, 1, n, random) != n)
		exit(1);
}

static void *idle(void *none) {
	for (;;)
		pause();
	return none;
}

int main(int argc, char **argv) {
	pthread_t second;
	if (argc != 5 && argc != 6)
		return 2;
	if (argc == 6 && pthread_create(&second, NULL, idle, NULL) != 0)
		return 1;
	void *lib = dlopen(argv[1], RTLD_NOW);
	ck_ulong (*get)(struct ck_function_list **) = lib ? (ck_ulong (*)(struct ck_function_list **))dlsym(lib, "C_GetFunctionList") : NULL;
	if (!get)
		return 1;
	must(get(&f), "C_GetFunctionList");
	must(((ck_ulong (*)(void *))f->place[PLACE_C_INITIALIZE])(NULL), "C_Initialize");
	ck_ulong slots[64], n = 64, slot = 0;
	must(((ck_ulong (*)(ck_byte, ck_ulong *, ck_ulong *))f->place[PLACE_C_GET_SLOT_LIST])(1, slots, &n), "C_GetSlotList");
	int found = 0;
	for (ck_ulong i = 0; i < n; i++) {
		ck_byte info[1024];
		must(((ck_ulong (*)(ck_ulong, void *))f->place[PLACE_C_GET_TOKEN_INFO])(slots[i], info), "C_GetTokenInfo");
		if (!memcmp(info, argv[2], strlen(argv[2])) && info[strlen(argv[2])] == ' ')
			slot = slots[i], found = 1;
	}
	if (!found)
		return 1;
	must(((ck_ulong (*)(ck_ulong, ck_ulong, void *, void *, ck_ulong *))f->place[PLACE_C_OPEN_SESSION])(slot, 6, NULL, NULL, &session), "C_OpenSession");
	must(((ck_login)f->place[PLACE_C_LOGIN])(session, 1, (ck_byte *)argv[3], strlen(argv[3])), "C_Login");
	ck_ulong old = key(), new = key(), rounds = strtoul(argv[4], NULL, 10);
	FILE *random = fopen("/dev/urandom", "r");
	if (!random)
		return 1;
	ck_byte dek[32], iv[12], wrapped[256], out[256], fresh[12], again[256], last[256];
	fill(random, dek, sizeof dek);
	fill(random, iv, sizeof iv);
	ck_ulong len = gcm(PLACE_C_ENCRYPT_INIT, PLACE_C_ENCRYPT, old, iv, dek, 32, wrapped);
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (ck_ulong i = 0; i < rounds; i++) {
		gcm(PLACE_C_DECRYPT_INIT, PLACE_C_DECRYPT, old, iv, wrapped, len, out);
		fill(random, fresh, sizeof fresh);
		ck_ulong m = gcm(PLACE_C_ENCRYPT_INIT, PLACE_C_ENCRYPT, new, fresh, out, 32, again);
		gcm(PLACE_C_DECRYPT_INIT, PLACE_C_DECRYPT, new, fresh, again, m, last);
		if (memcmp(out, last, 32))
			return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.6f\n", (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9);
	return 0;
}
