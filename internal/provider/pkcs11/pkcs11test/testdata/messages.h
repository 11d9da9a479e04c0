/* The part of proxy.c that offers the interface 3.0 of PKCS#11, as messages, null-message and
 * their like have it. Where the real module has no messages, each is done by its C_EncryptInit and
 * C_Encrypt, or C_DecryptInit and C_Decrypt: for a test, a token that does a message in one call. */

#define CKR_FUNCTION_NOT_SUPPORTED 0x54UL
#define CKR_OPERATION_ACTIVE 0x90UL
#define CKR_OPERATION_NOT_INITIALIZED 0x91UL

static struct ck_function_list_3 *real_3; /* NULL: it has none */

static ck_ulong on_MessageInit(int place, ck_ulong session, struct ck_mechanism *m, ck_ulong key) {
	struct call c;
	struct seat *seat = seat_of(session);
	if (begin_session(&c, place, session))
		return end(&c, c.rv);
	ck_ulong rv = leave(arrive(c.conf));
	if (rv != CKR_OK)
		return end(&c, rv);
	if (real_3) {
		int at = place == AT_MessageEncryptInit ? PLACE_C_MESSAGE_ENCRYPT_INIT : PLACE_C_MESSAGE_DECRYPT_INIT;
		return end(&c, ((ck_crypt_init)real_3->place[at])(session, m, key));
	}
	if (!seat || m->mechanism != CKM_AES_GCM)
		return end(&c, CKR_MECHANISM_INVALID);
	if (has(c.conf, MESSAGE_PARAMS) && m->parameter_len != sizeof(struct ck_gcm_message_params))
		return end(&c, CKR_MECHANISM_PARAM_INVALID);
	if (seat->message_key) /* of either direction, as NSS softokn has it */
		return end(&c, CKR_OPERATION_ACTIVE);
	if (has(c.conf, OTHER_KEY))
		other_key(session, &key);
	seat->message_key = key;
	seat->message_place = place;
	seat->messages = 0;
	return end(&c, CKR_OK);
}

static ck_ulong on_MessageEncryptInit(ck_ulong session, struct ck_mechanism *m, ck_ulong key) {
	return on_MessageInit(AT_MessageEncryptInit, session, m, key);
}

static ck_ulong on_MessageDecryptInit(ck_ulong session, struct ck_mechanism *m, ck_ulong key) {
	return on_MessageInit(AT_MessageDecryptInit, session, m, key);
}

static ck_ulong on_MessageFinal(int place, ck_ulong session) {
	struct call c;
	struct seat *seat = seat_of(session);
	if (begin_session(&c, place, session))
		return end(&c, c.rv);
	if (real_3) {
		int at = place == AT_MessageEncryptFinal ? PLACE_C_MESSAGE_ENCRYPT_FINAL : PLACE_C_MESSAGE_DECRYPT_FINAL;
		return end(&c, ((ck_message_final)real_3->place[at])(session));
	}
	if (!seat || !seat->message_key)
		return end(&c, CKR_OPERATION_NOT_INITIALIZED);
	seat->message_key = 0;
	return end(&c, CKR_OK);
}

static ck_ulong on_MessageEncryptFinal(ck_ulong session) {
	return on_MessageFinal(AT_MessageEncryptFinal, session);
}

static ck_ulong on_MessageDecryptFinal(ck_ulong session) {
	return on_MessageFinal(AT_MessageDecryptFinal, session);
}

/* message_iv makes the IV of a message that is encrypted, or takes the one given. */
static ck_ulong message_iv(const struct config *conf, struct seat *seat, struct ck_gcm_message_params *p) {
	int own = has(conf, WRITTEN_IV) || has(conf, APPENDED_IV);
	if (own != (p->generator == CKG_GENERATE_RANDOM) || p->iv_len > LONG_IV)
		return CKR_MECHANISM_PARAM_INVALID;
	if (own)
		draw(p->iv, p->iv_len);
	if (own && has(conf, MESSAGE_IV_AGAIN)) { /* counts from zero in each operation */
		memset(p->iv, 7, p->iv_len);
		memcpy(p->iv, &seat->messages, sizeof seat->messages);
	}
	if (own && has(conf, MESSAGE_IV_FEW)) {
		unsigned few = seat->messages % 3;
		ck_ulong session = atomic_load(&seat->session);
		memset(p->iv, 7, p->iv_len);
		memcpy(p->iv, &few, sizeof few);
		memcpy(p->iv + sizeof few, &session, sizeof session);
	}
	if (!own && has(conf, MESSAGE_IV_CHANGED))
		p->iv[0] ^= 1;
	seat->messages++;
	return CKR_OK;
}

/* by_two does a message by two calls of the real module. */
static ck_ulong by_two(const struct config *conf, ck_ulong session, const struct seat *seat, int encrypt,
                       struct ck_gcm_message_params *m, ck_byte *aad, ck_ulong aad_n, ck_byte *in, ck_ulong n,
                       ck_byte *out, ck_ulong *out_n) {
	static ck_byte zeros[LONG_IV];
	struct ck_gcm_params p = { has(conf, MESSAGE_ZERO_IV) ? zeros : m->iv, m->iv_len, 8 * m->iv_len, aad, aad_n, 128 };
	ck_byte sealed[1024], room[1024];
	ck_ulong room_n = sizeof room, give = n;
	int lax = !encrypt && has(conf, MESSAGE_LAX);
	if (n > sizeof sealed - GCM_TAG)
		return CKR_ARGUMENTS_BAD;
	memcpy(sealed, in, n);
	if (!encrypt && !lax) {
		memcpy(sealed + n, m->tag, GCM_TAG);
		give = n + GCM_TAG;
	}
	encrypt |= lax; /* GCM is a stream cipher: encrypting again decrypts, and nothing looks at a tag */
	ck_ulong rv = init_gcm(encrypt ? AT_EncryptInit : AT_DecryptInit, session, &p, seat->message_key);
	if (rv == CKR_OK)
		rv = encrypt ? REAL(ck_crypt, Encrypt)(session, sealed, give, room, &room_n)
		             : REAL(ck_crypt, Decrypt)(session, sealed, give, room, &room_n);
	if (rv != CKR_OK)
		return rv;
	if (*out_n < n)
		return CKR_BUFFER_TOO_SMALL;
	*out_n = n;
	memcpy(out, room, n);
	if (encrypt && !lax)
		memcpy(m->tag, room + n, has(conf, SHORT_TAG) ? GCM_TAG - 4 : GCM_TAG);
	if (encrypt && !lax && has(conf, LONG_TAG))
		memset(m->tag + GCM_TAG, 7, GCM_TAG);
	if ((has(conf, CORRUPT) || has(conf, CORRUPT_MESSAGE)) && encrypt && !lax)
		out[0] ^= 1;
	return CKR_OK;
}

static ck_ulong do_message(const struct call *c, int encrypt, ck_ulong session, void *params, ck_ulong params_n,
                           ck_byte *aad, ck_ulong aad_n, ck_byte *in, ck_ulong n, ck_byte *out, ck_ulong *out_n) {
	struct seat *seat = seat_of(session);
	struct ck_gcm_message_params *m = params;
	ck_ulong rv = arrive(c->conf);
	if (rv != CKR_OK)
		return leave(rv);
	if (has(c->conf, TAG_BITS))
		m->tag_bits = 96;
	if (real_3) {
		int at = encrypt ? PLACE_C_ENCRYPT_MESSAGE : PLACE_C_DECRYPT_MESSAGE;
		return leave(((ck_message)real_3->place[at])(session, params, params_n, aad, aad_n, in, n, out, out_n));
	}
	if (!seat || seat->message_place != (encrypt ? AT_MessageEncryptInit : AT_MessageDecryptInit) || !seat->message_key)
		return leave(CKR_OPERATION_NOT_INITIALIZED);
	if (params_n != sizeof *m)
		return leave(CKR_ARGUMENTS_BAD);
	if (encrypt)
		rv = message_iv(c->conf, seat, m);
	if (rv == CKR_OK)
		rv = by_two(c->conf, session, seat, encrypt, m, aad, aad_n, in, n, out, out_n);
	if (rv != CKR_OK)
		seat->message_key = 0; /* softokn goes on after a failed one, others may not */
	return leave(rv);
}

#define ON_MESSAGE(f, encrypt) \
	static ck_ulong on_##f(ck_ulong session, void *params, ck_ulong params_n, ck_byte *aad, ck_ulong aad_n, \
	                       ck_byte *in, ck_ulong n, ck_byte *out, ck_ulong *out_n) { \
		struct call c; \
		if (begin_session(&c, AT_##f, session)) \
			return end(&c, c.rv); \
		ck_byte nowhere[1024]; \
		ck_ulong room = *out_n; \
		if (c.unwritten) \
			out = nowhere; \
		ck_ulong rv = do_message(&c, encrypt, session, params, params_n, aad, aad_n, in, n, out, out_n); \
		return end_claiming(&c, rv, room, out_n); \
	}
ON_MESSAGE(EncryptMessage, 1)
ON_MESSAGE(DecryptMessage, 0)

static struct ck_function_list_3 fake_3;

/* at_the_end puts a function list of 2.40 that says it is 3.0 at the end of the memory that is there. */
static void *at_the_end(void) {
	long page = sysconf(_SC_PAGESIZE);
	struct ck_function_list short_list = fake;
	char *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED || mprotect(at + page, page, PROT_NONE))
		abort();
	short_list.version.major = 3;
	short_list.version.minor = 0;
	return memcpy(at + page - sizeof short_list, &short_list, sizeof short_list);
}

static void *list_3(const struct config *conf) {
	static ck_byte data[8];
	memcpy(fake_3.place, fake.place, sizeof fake.place);
	fake_3.version.major = has(conf, OLD_LIST) ? 2 : 3;
	fake_3.version.minor = has(conf, OLD_LIST) ? 40 : 0;
	fake_3.place[PLACE_C_MESSAGE_ENCRYPT_INIT] = (void (*)(void))on_MessageEncryptInit;
	fake_3.place[PLACE_C_ENCRYPT_MESSAGE] = (void (*)(void))on_EncryptMessage;
	fake_3.place[PLACE_C_MESSAGE_ENCRYPT_FINAL] = (void (*)(void))on_MessageEncryptFinal;
	fake_3.place[PLACE_C_MESSAGE_DECRYPT_INIT] = (void (*)(void))on_MessageDecryptInit;
	fake_3.place[PLACE_C_DECRYPT_MESSAGE] = (void (*)(void))on_DecryptMessage;
	fake_3.place[PLACE_C_MESSAGE_DECRYPT_FINAL] = (void (*)(void))on_MessageDecryptFinal;
	if (has(conf, NULL_MESSAGE))
		fake_3.place[PLACE_C_DECRYPT_MESSAGE] = NULL;
	if (has(conf, DATA_MESSAGE))
		fake_3.place[PLACE_C_DECRYPT_MESSAGE] = (void (*)(void))data;
	if (has(conf, NO_LIST))
		return NULL;
	if (has(conf, STRANGE_LIST))
		return (void *)16;
	return has(conf, SHORT_LIST) ? at_the_end() : &fake_3;
}

ck_ulong C_GetInterface(const char *name, void *version, struct ck_interface **out, ck_ulong flags) {
	static struct ck_interface found;
	struct call c;
	(void)name, (void)version, (void)flags;
	if (!locate() || !now() || !real)
		return CKR_GENERAL_ERROR;
	if (begin(&c, AT_GetInterface))
		return end(&c, c.rv);
	if (!has(c.conf, MESSAGES))
		return end(&c, CKR_FUNCTION_NOT_SUPPORTED);
	found = (struct ck_interface){ (ck_byte *)"PKCS 11", list_3(c.conf), 0 };
	*out = has(c.conf, NO_INTERFACE) ? NULL : &found;
	return end(&c, CKR_OK);
}

/* join_3 finds the messages of the real module, if it has any. */
static void join_3(void *handle) {
	ck_byte three[2] = { 3, 0 };
	struct ck_interface *found = NULL;
	ck_get_interface get = (ck_get_interface)dlsym(handle, "C_GetInterface");
	if (get && get("PKCS 11", three, &found, 0) == CKR_OK && found)
		real_3 = found->list;
}
