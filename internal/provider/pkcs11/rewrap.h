/* One envelope on its way through the token. */
#ifndef KEKCEREMONY_REWRAP_H
#define KEKCEREMONY_REWRAP_H

#include "cryptoki.h"

#define REWRAP_DEK 32    /* bytes of a DEK */
#define REWRAP_ROOM 256  /* bytes of room for every answer of the token */
#define REWRAP_IV_MAX 16
#define REWRAP_IN_MAX 64 /* bytes of the longest wrapped DEK */
#define REWRAP_AAD_MAX 64

/* Where an item stands. */
enum rewrap_step {
	REWRAP_UNTRIED, /* by messages, of which one before it failed */
	REWRAP_UNWRAP,  /* unwrapping it failed */
	REWRAP_LENGTH,  /* it unwrapped to something that is no DEK */
	REWRAP_WRAP,    /* wrapping failed */
	REWRAP_AGAIN,   /* unwrapping what was just wrapped failed */
	REWRAP_DIFFERS, /* it unwrapped to another value */
	REWRAP_DONE
};

struct rewrap_item {
	ck_ulong from; /* key that unwraps */
	ck_ulong iv_len, in_len;
	ck_byte in[REWRAP_IN_MAX]; /* IV || sealed */
	ck_byte aad[REWRAP_AAD_MAX];
	ck_ulong from_aad, to_aad; /* bytes of aad, of each of the two keys: 0 where it binds nothing */
	ck_byte iv[REWRAP_IV_MAX]; /* of the new one: given, or made by the token */
	ck_ulong new_len;          /* of iv */
	int appended;              /* the token makes it and appends it to its answer */
	ck_byte out[REWRAP_ROOM];  /* sealed anew */
	ck_ulong out_len;
	ck_ulong rv;
	int step;
};

#endif
