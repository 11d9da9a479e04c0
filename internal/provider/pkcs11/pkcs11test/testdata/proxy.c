/* A PKCS#11 module that passes every call on to SoftHSM2, and misbehaves as the
 * file beside it says. Of a module /x/proxy.so that is /x/proxy.so.conf; nothing
 * else configures it, no environment variable in particular. The file is looked
 * at on every call, and read when it is another one than before: replace it by
 * rename(2). It has one directive a line, # begins a comment:
 *   module PATH  the module to pass calls on to; read once, at the beginning
 *   gone         the token is not there for any cipher (CKR_DEVICE_REMOVED)
 *   ignore-tag   C_Decrypt never looks at the tag
 *   ignore-aad   no cipher looks at the AAD
 *   zero-iv      every IV is taken as zeros, whatever is passed
 *   hide-gcm     CKM_AES_GCM is not there
 *   vendor-gcm   CKM_AES_GCM is neither listed nor taken. CKM_CLOUDHSM_AES_GCM of
 *                AWS (0x80001087) is: pIv is NULL, and the 12 bytes of an IV of
 *                the token's own stand before its answer
 *   extractable  keys come out extractable and not sensitive
 *   not-local    CKA_LOCAL reads false
 *   kept         CKA_DESTROYABLE reads false
 *   undead       C_DestroyObject does nothing, and answers CKR_OK
 *   short-key    keys are made with 16 bytes, whatever is asked for
 *   grant ATTRIBUTE  keys are made with this attribute (hex) true, whatever is asked
 *                for. Several may be granted
 *   slow         each wrap takes 2 ms longer, a key on the token three seconds
 *   latency      each call of a cipher takes 1 ms longer, on every session by
 *                itself, as on a network
 *   tell         each call of a cipher adds a line to the log, "cipher"
 *   busy         a cipher refuses a fourth call at one time (CKR_FUNCTION_FAILED)
 *   gcm-fails    CKM_AES_GCM is listed, and C_EncryptInit refuses it
 *   written-iv   only 12 zeros are taken for an IV, and the token's own written
 *                over them, as AWS CloudHSM does
 *   constant-iv  the same, and it is always the same one
 *   cycle-iv     the same, and after 3000 it begins with the first again
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
 *   limited      there is a user of type 0x80000001, with the PIN of the other one, who makes
 *                and destroys no key (CKR_ACTION_PROHIBITED)
 *   limited-lax  the same, and nothing is refused to it
 *   after-key    calls are counted from when this process has made a key on a token
 *   hide SERIAL  the token of this serial is not there: its slot is not listed, a
 *                call that takes the slot answers CKR_TOKEN_NOT_PRESENT, one on a
 *                session that was opened on it CKR_DEVICE_REMOVED. Several may be
 *                hidden. Shown again, its sessions are as they were
 *   messages     there is an interface of PKCS#11 3.0 with messages: those of the real
 *                module, or else each done by two calls of it. What follows is of
 *                these alone, and wants this mode as well
 *   no-interface, no-list, strange-list: C_GetInterface answers CKR_OK with no
 *                interface, with one without a list, with one whose list is nowhere
 *   unlisted     the mechanism's flags say nothing of messages
 *   old-list     its list is of 2.40
 *   short-list   its list says 3.0, has the length of 2.40, and no memory follows
 *   null-message, data-message: C_DecryptMessage is NULL there, or no code
 *   message-zero-iv  messages take every IV as zeros, whatever is passed
 *   message-iv-changed  C_EncryptMessage changes the IV that it is given
 *   message-iv-again  an IV of the token's own counts from zero in each operation, as
 *                NSS softokn does it by CKG_GENERATE
 *   message-iv-few  an IV of the token's own comes again after three in an operation
 *   message-params  messages want their parameters when they begin, too
 *   message-lax  C_DecryptMessage never looks at the tag
 *   corrupt-message  a bit of every answer of C_EncryptMessage is wrong
 *   short-tag, long-tag: C_EncryptMessage writes 12 bytes of a tag, or 32
 *   tag-bits     messages change the length of the tag to 96 bits
 *   endless      C_FindObjects always has as many more as it is asked for
 *   zero-label, zero-serial: a zero byte and more stand where spaces should, after a token's
 *                label, after its serial
 *   as SERIAL    tokens report this serial instead of their own; hide goes by
 *                their own
 *   renumber N   the ids of slots are the real ones + N
 *   FUNCTION=N:WHAT  the Nth call of C_FUNCTION, any function, does
 *   FUNCTION+N:WHAT  so does every one after it. WHAT is
 *     RV         answer this value (hex), and do nothing
 *     lost       do what was asked, and answer CKR_DEVICE_ERROR
 *     unwritten  do what was asked, and write nothing of what comes of it: of C_Decrypt
 *                and C_DecryptMessage
 *     moreN      do what was asked, and say that it is N more (hex) than there was
 *                room for: objects, slots, mechanisms, or bytes. A call that only
 *                asks for the size gets it right
 *     unavailable  do what was asked, and say CK_UNAVAILABLE_INFORMATION for how much
 *                that is, also to a call that asks for the size
 *     hang       never come back
 *     wait       come back when the file is another one
 *     sleepMS    take so many milliseconds longer
 *     segv, abort, exit, kill: the end of the process, by that; exit is with code 3,
 *                kill is SIGKILL
 *     noise      write a line with an escape sequence to stdout and stderr, go on
 *     signals    have SIGSEGV, SIGINT, SIGTERM and SIGHUP do nothing, go on
 *     threads    start three threads that never end, go on
 *     fork       start a process that keeps every descriptor for 20 seconds, go on
 *     stop       stop the process (SIGSTOP)
 *     close      close every descriptor from 3 on, go on
 *     scribble   write nonsense to every socket that is open, go on
 * Each process counts calls by itself, anew whenever the file's text changes. A
 * line that is none of these has every call answer CKR_ARGUMENTS_BAD.
 *
 * It appends to /x/proxy.so.log a line for each key generated, "token" or
 * "session", for each attempt that reached the token, "login", and for each
 * C_Finalize, "finalize" or, with another call inside the module, "finalize while
 * busy"; of a call that begins to hang, wait or sleep, that word; of a line that it does
 * not know, "bad line: " and the line. */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../cryptoki.h"
#include "../../message.h"

/* Every function in the order of the function list: its number is its place. */
#define EACH_FUNCTION(X) \
	X(Initialize) X(Finalize) X(GetInfo) X(GetFunctionList) X(GetSlotList) X(GetSlotInfo) X(GetTokenInfo) \
	X(GetMechanismList) X(GetMechanismInfo) X(InitToken) X(InitPIN) X(SetPIN) X(OpenSession) X(CloseSession) \
	X(CloseAllSessions) X(GetSessionInfo) X(GetOperationState) X(SetOperationState) X(Login) X(Logout) \
	X(CreateObject) X(CopyObject) X(DestroyObject) X(GetObjectSize) X(GetAttributeValue) X(SetAttributeValue) \
	X(FindObjectsInit) X(FindObjects) X(FindObjectsFinal) X(EncryptInit) X(Encrypt) X(EncryptUpdate) \
	X(EncryptFinal) X(DecryptInit) X(Decrypt) X(DecryptUpdate) X(DecryptFinal) X(DigestInit) X(Digest) \
	X(DigestUpdate) X(DigestKey) X(DigestFinal) X(SignInit) X(Sign) X(SignUpdate) X(SignFinal) \
	X(SignRecoverInit) X(SignRecover) X(VerifyInit) X(Verify) X(VerifyUpdate) X(VerifyFinal) \
	X(VerifyRecoverInit) X(VerifyRecover) X(DigestEncryptUpdate) X(DecryptDigestUpdate) X(SignEncryptUpdate) \
	X(DecryptVerifyUpdate) X(GenerateKey) X(GenerateKeyPair) X(WrapKey) X(UnwrapKey) X(DeriveKey) \
	X(SeedRandom) X(GenerateRandom) X(GetFunctionStatus) X(CancelFunction) X(WaitForSlotEvent)

/* What 3.0 has beside them, as far as it is used. */
#define EACH_OF_3(X) \
	X(GetInterface) X(MessageEncryptInit) X(EncryptMessage) X(MessageEncryptFinal) X(MessageDecryptInit) \
	X(DecryptMessage) X(MessageDecryptFinal)

#define NUMBER(f) AT_##f,
#define NAME(f) #f,

enum { EACH_FUNCTION(NUMBER) EACH_OF_3(NUMBER) FUNCTIONS };
static const char *const functions[] = { EACH_FUNCTION(NAME) EACH_OF_3(NAME) };

_Static_assert((int)AT_GetInterface == (int)PLACE_COUNT && (int)AT_Login == (int)PLACE_C_LOGIN && (int)AT_Sign == (int)PLACE_C_SIGN,
	"the list above is that of cryptoki.h");

#define EACH_MODE(X) \
	X(GONE, "gone") X(IGNORE_TAG, "ignore-tag") X(IGNORE_AAD, "ignore-aad") X(ZERO_IV, "zero-iv") X(HIDE_GCM, "hide-gcm") \
	X(VENDOR_GCM, "vendor-gcm") X(EXTRACTABLE, "extractable") X(NOT_LOCAL, "not-local") X(SHORT_KEY, "short-key") X(SLOW, "slow") \
	X(KEPT, "kept") X(UNDEAD, "undead") X(LATENCY, "latency") X(BUSY, "busy") X(GCM_FAILS, "gcm-fails") X(WRITTEN_IV, "written-iv") \
	X(CONSTANT_IV, "constant-iv") X(CYCLE_IV, "cycle-iv") X(APPENDED_IV, "appended-iv") X(SMALL_SIZE, "small-size") \
	X(CORRUPT, "corrupt") X(OTHER_KEY, "other-key") X(MUTE, "mute") X(PIN_LOW, "pin-low") \
	X(PIN_FINAL, "pin-final") X(PIN_LOCKED, "pin-locked") X(PIN_TURNS, "pin-turns") X(PIN_PATH, "pin-path") \
	X(LOST_REPLY, "lost-reply") X(AFTER_KEY, "after-key") X(ENDLESS, "endless") X(ZERO_LABEL, "zero-label") \
	X(ZERO_SERIAL, "zero-serial") X(LIMITED, "limited") X(LIMITED_LAX, "limited-lax") \
	X(MESSAGES, "messages") X(NO_INTERFACE, "no-interface") X(NO_LIST, "no-list") X(STRANGE_LIST, "strange-list") \
	X(OLD_LIST, "old-list") X(SHORT_LIST, "short-list") X(NULL_MESSAGE, "null-message") X(DATA_MESSAGE, "data-message") \
	X(MESSAGE_ZERO_IV, "message-zero-iv") X(MESSAGE_IV_CHANGED, "message-iv-changed") X(MESSAGE_IV_AGAIN, "message-iv-again") \
	X(MESSAGE_LAX, "message-lax") X(SHORT_TAG, "short-tag") X(LONG_TAG, "long-tag") X(TAG_BITS, "tag-bits") X(UNLISTED, "unlisted") X(TELL, "tell") X(MESSAGE_PARAMS, "message-params") X(MESSAGE_IV_FEW, "message-iv-few") X(CORRUPT_MESSAGE, "corrupt-message")

#define MODE(m, word) m,
#define WORD(m, word) word,

enum mode { EACH_MODE(MODE) MODES };
static const char *const modes[] = { EACH_MODE(WORD) };

#define CK_UNAVAILABLE_INFORMATION (~0UL)
#define CKA_TOKEN 0x1UL
#define CKA_SENSITIVE 0x103UL
#define CKA_VALUE_LEN 0x161UL
#define CKA_EXTRACTABLE 0x162UL
#define CKA_LOCAL 0x163UL
#define CKA_NEVER_EXTRACTABLE 0x164UL
#define CKA_ALWAYS_SENSITIVE 0x165UL
#define CKA_DESTROYABLE 0x172UL
#define CKF_ENCRYPT 0x100UL
#define CKF_DECRYPT 0x200UL
#define CKF_PROTECTED_AUTHENTICATION_PATH 0x100UL
#define CKF_USER_PIN_COUNT_LOW 0x10000UL
#define CKF_USER_PIN_FINAL_TRY 0x20000UL
#define CKF_USER_PIN_LOCKED 0x40000UL
#define CKU_USER 1UL
#define CKU_LIMITED_USER 0x80000001UL
#define CKM_CLOUDHSM_AES_GCM 0x80001087UL
#define CKR_GENERAL_ERROR 0x05UL
#define CKR_FUNCTION_FAILED 0x06UL
#define CKR_ATTRIBUTE_TYPE_INVALID 0x12UL
#define CKR_ACTION_PROHIBITED 0x1bUL
#define CKR_DEVICE_ERROR 0x30UL
#define CKR_DEVICE_REMOVED 0x32UL
#define CKR_ENCRYPTED_DATA_LEN_RANGE 0x41UL
#define CKR_MECHANISM_INVALID 0x70UL
#define CKR_PIN_LEN_RANGE 0xa2UL
#define CKR_SESSION_COUNT 0xb1UL
#define CKR_TOKEN_NOT_PRESENT 0xe0UL
#define CKR_BUFFER_TOO_SMALL 0x150UL

#define SERIAL 16  /* bytes of a token's serial, padded with spaces */
#define GCM_IV 12
#define GCM_TAG 16
#define LONG_IV 16 /* what Luna appends */

struct token_info {
	ck_byte label[32], manufacturer[32], model[16], serial[SERIAL];
	ck_ulong flags, counts[10];
	ck_byte versions[4], time[16];
};

struct session_info {
	ck_ulong slot, state, flags, error;
};

typedef ck_ulong (*get_list)(ck_ulong, ck_ulong *, ck_ulong *);
typedef ck_ulong (*token_info)(ck_ulong, struct token_info *);
typedef ck_ulong (*session_info)(ck_ulong, struct session_info *);
typedef ck_ulong (*open_session)(ck_ulong, ck_ulong, void *, void *, ck_ulong *);
typedef ck_ulong (*slot_event)(ck_ulong, ck_ulong *, void *);
typedef ck_ulong (*generate_key)(ck_ulong, struct ck_mechanism *, struct ck_attribute *, ck_ulong, ck_ulong *);

static struct ck_function_list *real;
static struct ck_function_list fake;

#define REAL(type, f) ((type)real->place[AT_##f])

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- the files beside the module ---- */

static char conf_path[PATH_MAX + 8], log_path[PATH_MAX + 8];

/* locate finds the module's own path. It is usually loaded through /proc/self/fd/N,
 * a link to the file. */
static int locate(void) {
	Dl_info self;
	char path[PATH_MAX];
	if (*conf_path)
		return 1;
	if (!dladdr((void *)locate, &self) || !realpath(self.dli_fname, path))
		return 0;
	snprintf(conf_path, sizeof conf_path, "%s.conf", path);
	snprintf(log_path, sizeof log_path, "%s.log", path);
	return 1;
}

/* note appends a line to the log; it is one write(2), so lines stay whole. */
static void note(const char *what, const char *more) {
	FILE *f = fopen(log_path, "ae");
	if (!f)
		return;
	fprintf(f, "%s%s\n", what, more);
	fclose(f);
}

/* ---- the configuration ---- */

enum what { ANSWER, LOST, UNWRITTEN, MORE, UNAVAILABLE, HANG, WAIT, SLEEP, SEGV, ABORT, EXIT, KILL, NOISE, SIGNALS, THREADS, FORK, STOP, CLOSE, SCRIBBLE };

static const struct {
	const char *word;
	enum what what;
} whats[] = {
	{ "lost", LOST }, { "unwritten", UNWRITTEN }, { "unavailable", UNAVAILABLE }, { "hang", HANG }, { "wait", WAIT }, { "segv", SEGV }, { "abort", ABORT }, { "exit", EXIT }, { "kill", KILL },
	{ "noise", NOISE }, { "signals", SIGNALS }, { "threads", THREADS }, { "fork", FORK },
	{ "stop", STOP }, { "close", CLOSE }, { "scribble", SCRIBBLE },
};

/* fault is what some calls of a function do. */
struct fault {
	int place;
	ck_ulong from;
	int onward; /* every call after it as well */
	enum what what;
	ck_ulong value; /* of ANSWER or MORE, or the milliseconds of SLEEP */
};

#define MOST 32 /* faults, and hidden tokens */

/* config is one state of the file. It never changes, but for the counters. */
struct config {
	struct stat stamp;
	char text[8192];
	int bad; /* a line is none that we know */
	char module[PATH_MAX];
	unsigned long modes; /* a bit each */
	char as[SERIAL], hidden[MOST][SERIAL];
	int hidden_n;
	ck_ulong renumber, granted[MOST];
	int granted_n;
	struct fault faults[MOST];
	int faults_n;
	atomic_ulong *calls; /* of each function, since the text is what it is */
};

static _Atomic(struct config *) current;

static int has(const struct config *c, enum mode m) {
	return c->modes >> m & 1;
}

static int number(const char *text, int base, ck_ulong *out) {
	char *end;
	*out = strtoul(text, &end, base);
	return end != text && !*end;
}

static int pad(char out[SERIAL], const char *serial) {
	size_t n = strlen(serial);
	if (n < 1 || n > SERIAL)
		return 0;
	memset(out, ' ', SERIAL);
	memcpy(out, serial, n);
	return 1;
}

/* after gives what follows a directive's word, NULL for a line that has another. */
static const char *after(const char *line, const char *word) {
	size_t n = strlen(word);
	return strncmp(line, word, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

static int parse_what(struct fault *f, const char *word) {
	for (size_t i = 0; i < sizeof whats / sizeof *whats; i++)
		if (strcmp(word, whats[i].word) == 0) {
			f->what = whats[i].what;
			return 1;
		}
	if (strncmp(word, "sleep", 5) == 0) {
		f->what = SLEEP;
		return number(word + 5, 10, &f->value);
	}
	if (strncmp(word, "more", 4) == 0) {
		f->what = MORE;
		return number(word + 4, 16, &f->value);
	}
	f->what = ANSWER;
	return number(word, 16, &f->value);
}

/* parse_fault reads FUNCTION=N:WHAT and FUNCTION+N:WHAT. */
static int parse_fault(struct config *c, const char *line) {
	struct fault f = { .place = -1 };
	size_t n = strcspn(line, "=+");
	char *end;
	for (int i = 0; i < FUNCTIONS; i++)
		if (strlen(functions[i]) == n && memcmp(line, functions[i], n) == 0)
			f.place = i;
	if (f.place < 0 || !line[n] || c->faults_n == MOST)
		return 0;
	f.onward = line[n] == '+';
	f.from = strtoul(line + n + 1, &end, 10);
	if (f.from < 1 || *end != ':' || !parse_what(&f, end + 1))
		return 0;
	c->faults[c->faults_n++] = f;
	return 1;
}

static int parse_line(struct config *c, const char *line) {
	const char *rest;
	for (int m = 0; m < MODES; m++)
		if (strcmp(line, modes[m]) == 0) {
			c->modes |= 1UL << m;
			return 1;
		}
	if ((rest = after(line, "module")))
		return (size_t)snprintf(c->module, sizeof c->module, "%s", rest) < sizeof c->module;
	if ((rest = after(line, "hide")))
		return c->hidden_n < MOST && pad(c->hidden[c->hidden_n++], rest);
	if ((rest = after(line, "grant")))
		return c->granted_n < MOST && number(rest, 16, &c->granted[c->granted_n++]);
	if ((rest = after(line, "as")))
		return pad(c->as, rest);
	if ((rest = after(line, "renumber")))
		return number(rest, 10, &c->renumber);
	return parse_fault(c, line);
}

static void parse(struct config *c) {
	char text[sizeof c->text], *more = NULL;
	memcpy(text, c->text, sizeof text);
	for (char *line = strtok_r(text, "\n", &more); line; line = strtok_r(NULL, "\n", &more)) {
		if (*line == '#' || parse_line(c, line))
			continue;
		note("bad line: ", line);
		c->bad = 1;
	}
}

static int same(const struct stat *a, const struct stat *b) {
	return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* load reads the file; NULL if there is none. Counters go on while the text is the
 * same. */
static struct config *load(const struct config *before) {
	FILE *f = fopen(conf_path, "re");
	struct config *c = f ? calloc(1, sizeof *c) : NULL;
	if (c && fstat(fileno(f), &c->stamp) == 0 && fread(c->text, 1, sizeof c->text - 1, f) == (size_t)c->stamp.st_size) {
		if (before && strcmp(c->text, before->text) == 0)
			c->calls = before->calls;
		else
			c->calls = calloc(FUNCTIONS, sizeof *c->calls);
		parse(c);
	} else {
		free(c);
		c = NULL;
	}
	if (f)
		fclose(f);
	return c;
}

/* now is the configuration: the last one that could be read. The one before it is
 * not freed, as another thread may be looking at it. Nothing that changed costs one
 * stat(2). */
static const struct config *now(void) {
	struct config *c = atomic_load(&current), *next;
	struct stat st;
	if (stat(conf_path, &st) != 0 || (c && same(&c->stamp, &st)))
		return c;
	pthread_mutex_lock(&lock);
	c = atomic_load(&current);
	if ((!c || !same(&c->stamp, &st)) && (next = load(c))) {
		atomic_store(&current, next);
		c = next;
	}
	pthread_mutex_unlock(&lock);
	return c;
}

/* ---- what goes on around every call ---- */

/* call is one call into the module. */
struct call {
	const struct config *conf;
	ck_ulong n;  /* of this function, from 1 */
	ck_ulong rv; /* unless CKR_OK, the answer instead of what was asked */
	int lost, unavailable, unwritten;
	ck_ulong more;
};

static atomic_int key_made; /* on a token, by this process */

static atomic_int inside; /* calls that did not come back yet */

static void *idle(void *unused) {
	for (;;)
		pause();
	return unused;
}

static void start_threads(void) {
	pthread_t t;
	for (int i = 0; i < 3; i++)
		if (pthread_create(&t, NULL, idle, NULL) == 0)
			pthread_detach(t);
}

static void ignore(int unused) {
	(void)unused;
}

/* The handlers run where Go wants them, on the alternate stack: on a goroutine's they
 * would destroy memory now and then, which is another fault than the one asked for. */
static void take_signals(void) {
	static const int all[] = { SIGSEGV, SIGINT, SIGTERM, SIGHUP };
	struct sigaction a = { .sa_handler = ignore, .sa_flags = SA_ONSTACK | SA_RESTART };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		sigaction(all[i], &a, NULL);
}

static void make_noise(void) {
	static const char line[] = "\033[31m\033]0;noise\007noise of the module\033[0m\n";
	for (int fd = 1; fd <= 2; fd++)
		dprintf(fd, "%s", line); /* past stdio, whose buffer may never be written */
}

static void scribble(void) {
	for (int fd = 3; fd < 256; fd++) {
		struct stat s;
		if (fstat(fd, &s) == 0 && S_ISSOCK(s.st_mode))
			dprintf(fd, "nonsense nonsense nonsense");
	}
}

static void misbehave(struct call *c, const struct fault *f) {
	static int *volatile nowhere;
	switch (f->what) {
	case ANSWER:
		if (c->rv == CKR_OK)
			c->rv = f->value;
		break;
	case LOST:
		c->lost = 1;
		break;
	case UNWRITTEN:
		c->unwritten = 1;
		break;
	case MORE:
		c->more = f->value;
		break;
	case UNAVAILABLE:
		c->unavailable = 1;
		break;
	case HANG:
		note("hang", "");
		idle(NULL);
		break;
	case WAIT:
		note("wait", "");
		while (now() == c->conf)
			usleep(5000);
		break;
	case SLEEP:
		note("sleep", "");
		usleep(f->value * 1000);
		break;
	case SEGV:
		*nowhere = 1;
		break;
	case ABORT:
		abort();
	case EXIT:
		exit(3);
	case KILL:
		kill(getpid(), SIGKILL);
		break;
	case NOISE:
		make_noise();
		break;
	case SIGNALS:
		take_signals();
		break;
	case THREADS:
		start_threads();
		break;
	case FORK:
		if (fork() == 0) {
			sleep(20);
			_exit(0);
		}
		break;
	case STOP:
		for (;;) /* whoever has it go on */
			kill(getpid(), SIGSTOP);
	case CLOSE:
		for (int fd = 3; fd < 256; fd++)
			close(fd);
		break;
	case SCRIBBLE:
		scribble();
		break;
	}
}

/* begin and end stand around every call. begin reports that it is not to be done:
 * the answer is c->rv. */
static int begin(struct call *c, int place) {
	atomic_fetch_add(&inside, 1);
	c->conf = now();
	c->n = 0;
	if (!has(c->conf, AFTER_KEY) || atomic_load(&key_made))
		c->n = atomic_fetch_add(&c->conf->calls[place], 1) + 1;
	c->rv = c->conf->bad ? CKR_ARGUMENTS_BAD : CKR_OK;
	c->lost = c->unavailable = c->unwritten = 0;
	c->more = 0;
	for (int i = 0; i < c->conf->faults_n; i++) {
		const struct fault *f = &c->conf->faults[i];
		if (f->place == place && (c->n == f->from || (f->onward && c->n > f->from)))
			misbehave(c, f);
	}
	return c->rv != CKR_OK;
}

static ck_ulong end(const struct call *c, ck_ulong rv) {
	atomic_fetch_sub(&inside, 1);
	return c->lost ? CKR_DEVICE_ERROR : rv;
}

/* end_claiming is end of a call whose answer is n long. room is 0 if it only asks for
 * the size. */
static ck_ulong end_claiming(const struct call *c, ck_ulong rv, ck_ulong room, ck_ulong *n) {
	if (rv == CKR_OK && c->more && room)
		*n = room + c->more;
	if (rv == CKR_OK && c->unavailable)
		*n = CK_UNAVAILABLE_INFORMATION;
	return end(c, rv);
}

/* ---- slots and sessions ---- */

static int hidden(const struct config *c, const ck_byte serial[SERIAL]) {
	for (int i = 0; i < c->hidden_n; i++)
		if (memcmp(c->hidden[i], serial, SERIAL) == 0)
			return 1;
	return 0;
}

/* serial_of a real slot is the token's own; zeros if there is none. */
static void serial_of(ck_ulong slot, ck_byte serial[SERIAL]) {
	struct token_info info;
	if (REAL(token_info, GetTokenInfo)(slot, &info) == CKR_OK)
		memcpy(serial, info.serial, SERIAL);
	else
		memset(serial, 0, SERIAL);
}

static int hidden_slot(const struct config *c, ck_ulong slot) {
	ck_byte serial[SERIAL];
	if (!c->hidden_n)
		return 0;
	serial_of(slot, serial);
	return hidden(c, serial);
}

/* begin_slot is begin of a call that takes a slot, and makes it the real one. */
static int begin_slot(struct call *c, int place, ck_ulong *slot) {
	if (begin(c, place))
		return 1;
	*slot -= c->conf->renumber;
	if (hidden_slot(c->conf, *slot))
		c->rv = CKR_TOKEN_NOT_PRESENT;
	return c->rv != CKR_OK;
}

/* How a session's operation goes on. */
enum how {
	PLAIN,
	APPEND,   /* the answer ends with seat.iv */
	PREPEND,  /* it begins with it */
	UNTAGGED, /* decrypting by encrypting: nothing looks at the tag */
	LATER     /* decrypting begins when the IV is seen */
};

/* seat is what is known of a session. Only the thread that uses the session writes
 * there, as PKCS#11 demands of applications. */
struct seat {
	atomic_ulong session; /* 0: free */
	ck_ulong slot;
	ck_byte serial[SERIAL];
	enum how encrypting, decrypting;
	ck_byte iv[LONG_IV];
	struct ck_gcm_params later;
	ck_ulong later_key;
	ck_byte later_aad[256];
	ck_ulong message_key; /* 0: in no operation of messages */
	int message_place;    /* how it began */
	unsigned messages;    /* in this operation */
};

#define SEATS 1024 /* a provider opens some 65 sessions */
static struct seat seats[SEATS];

/* seat_of finds a session's seat, NULL for none. It usually is the first looked at:
 * SoftHSM2 numbers sessions and objects one after the other. */
static struct seat *seat_of(ck_ulong session) {
	for (ck_ulong i = 0; session && i < SEATS; i++) {
		struct seat *s = &seats[(session + i) % SEATS];
		if (atomic_load(&s->session) == session)
			return s;
	}
	return NULL;
}

static int sit(ck_ulong session, ck_ulong slot) {
	int found = 0;
	pthread_mutex_lock(&lock);
	for (ck_ulong i = 0; !found && i < SEATS; i++) {
		struct seat *s = &seats[(session + i) % SEATS];
		if (atomic_load(&s->session))
			continue;
		s->slot = slot;
		s->encrypting = s->decrypting = PLAIN;
		s->message_key = 0;
		serial_of(slot, s->serial);
		atomic_store(&s->session, session);
		found = 1;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

/* rise frees the seats of a slot, or of all. */
static void rise(int all, ck_ulong slot) {
	for (int i = 0; i < SEATS; i++)
		if (all || seats[i].slot == slot)
			atomic_store(&seats[i].session, 0);
}

/* begin_session is begin of a call on a session. */
static int begin_session(struct call *c, int place, ck_ulong session) {
	if (begin(c, place))
		return 1;
	const struct seat *s = c->conf->hidden_n ? seat_of(session) : NULL;
	if (s && hidden(c->conf, s->serial))
		c->rv = CKR_DEVICE_REMOVED;
	return c->rv != CKR_OK;
}

/* ---- functions that are only passed on ---- */

/* Their arguments are numbers and pointers, which every calling convention of Linux
 * passes alike. */
typedef ck_ulong (*pass1)(ck_ulong);
typedef ck_ulong (*pass2)(ck_ulong, ck_ulong);
typedef ck_ulong (*pass3)(ck_ulong, ck_ulong, ck_ulong);
typedef ck_ulong (*pass4)(ck_ulong, ck_ulong, ck_ulong, ck_ulong);
typedef ck_ulong (*pass5)(ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong);
typedef ck_ulong (*pass6)(ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong);
typedef ck_ulong (*pass8)(ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong, ck_ulong);

#define PASS(f, starts, type, params, args) \
	static ck_ulong on_##f params { \
		struct call call; \
		if (starts) \
			return end(&call, call.rv); \
		return end(&call, REAL(type, f) args); \
	}
#define ON_SESSION(f) begin_session(&call, AT_##f, a)
#define ON_SLOT(f) begin_slot(&call, AT_##f, &a)
#define SESSION1(f) PASS(f, ON_SESSION(f), pass1, (ck_ulong a), (a))
#define SESSION2(f) PASS(f, ON_SESSION(f), pass2, (ck_ulong a, ck_ulong b), (a, b))
#define SESSION3(f) PASS(f, ON_SESSION(f), pass3, (ck_ulong a, ck_ulong b, ck_ulong c), (a, b, c))
#define SESSION4(f) PASS(f, ON_SESSION(f), pass4, (ck_ulong a, ck_ulong b, ck_ulong c, ck_ulong d), (a, b, c, d))
#define SESSION5(f) PASS(f, ON_SESSION(f), pass5, (ck_ulong a, ck_ulong b, ck_ulong c, ck_ulong d, ck_ulong e), (a, b, c, d, e))
#define SESSION6(f) PASS(f, ON_SESSION(f), pass6, (ck_ulong a, ck_ulong b, ck_ulong c, ck_ulong d, ck_ulong e, ck_ulong g), (a, b, c, d, e, g))
#define SESSION8(f) PASS(f, ON_SESSION(f), pass8, (ck_ulong a, ck_ulong b, ck_ulong c, ck_ulong d, ck_ulong e, ck_ulong g, ck_ulong h, ck_ulong i), (a, b, c, d, e, g, h, i))

PASS(Initialize, begin(&call, AT_Initialize), pass1, (ck_ulong a), (a))
PASS(GetInfo, begin(&call, AT_GetInfo), pass1, (ck_ulong a), (a))
PASS(GetSlotInfo, ON_SLOT(GetSlotInfo), pass2, (ck_ulong a, ck_ulong b), (a, b))
PASS(InitToken, ON_SLOT(InitToken), pass4, (ck_ulong a, ck_ulong b, ck_ulong c, ck_ulong d), (a, b, c, d))
SESSION1(Logout) SESSION1(FindObjectsFinal) SESSION1(GetFunctionStatus) SESSION1(CancelFunction)
SESSION2(DigestInit) SESSION2(DigestKey)
SESSION3(InitPIN) SESSION3(GetOperationState) SESSION3(GetObjectSize) SESSION3(FindObjectsInit)
SESSION3(EncryptFinal) SESSION3(DecryptFinal) SESSION3(DigestUpdate) SESSION3(DigestFinal)
SESSION3(SignInit) SESSION3(SignUpdate) SESSION3(SignFinal) SESSION3(SignRecoverInit)
SESSION3(VerifyInit) SESSION3(VerifyUpdate) SESSION3(VerifyFinal) SESSION3(VerifyRecoverInit)
SESSION3(SeedRandom) SESSION3(GenerateRandom)
SESSION4(CreateObject) SESSION4(SetAttributeValue)
SESSION5(SetPIN) SESSION5(SetOperationState) SESSION5(CopyObject) SESSION5(EncryptUpdate)
SESSION5(DecryptUpdate) SESSION5(Digest) SESSION5(SignRecover) SESSION5(Verify)
SESSION5(VerifyRecover) SESSION5(DigestEncryptUpdate) SESSION5(DecryptDigestUpdate)
SESSION5(SignEncryptUpdate) SESSION5(DecryptVerifyUpdate)
SESSION6(WrapKey) SESSION6(DeriveKey)
SESSION8(GenerateKeyPair) SESSION8(UnwrapKey)

/* ---- the module, slots, tokens ---- */

static ck_ulong other; /* the key of other-key, once it was made */

static ck_ulong on_Finalize(void *reserved) {
	struct call c;
	note(atomic_load(&inside) ? "finalize while busy" : "finalize", "");
	if (begin(&c, AT_Finalize))
		return end(&c, c.rv);
	rise(1, 0);
	other = 0;
	return end(&c, ((ck_ulong (*)(void *))real->place[AT_Finalize])(reserved));
}

/* give answers a list as PKCS#11 does (v2.40, 5.2). */
static ck_ulong give(const ck_ulong *list, ck_ulong n, ck_ulong *out, ck_ulong *out_n) {
	ck_ulong room = *out_n;
	*out_n = n;
	if (out && room < n)
		return CKR_BUFFER_TOO_SMALL;
	if (out)
		memcpy(out, list, n * sizeof *list);
	return CKR_OK;
}

static ck_ulong list_slots(const struct config *conf, ck_byte present, ck_ulong *out, ck_ulong *out_n) {
	ck_ulong all[256], n = 0, kept = 0, rv = CKR_OK;
	if (!out) /* SoftHSM2 looks for new tokens when it is asked for the number */
		rv = REAL(ck_get_slot_list, GetSlotList)(present, NULL, &n);
	n = sizeof all / sizeof *all;
	if (rv == CKR_OK)
		rv = REAL(ck_get_slot_list, GetSlotList)(present, all, &n);
	if (rv != CKR_OK)
		return rv;
	for (ck_ulong i = 0; i < n; i++)
		if (!hidden_slot(conf, all[i]))
			all[kept++] = all[i] + conf->renumber;
	return give(all, kept, out, out_n);
}

static ck_ulong on_GetSlotList(ck_byte present, ck_ulong *out, ck_ulong *out_n) {
	struct call c;
	if (begin(&c, AT_GetSlotList))
		return end(&c, c.rv);
	ck_ulong room = out ? *out_n : 0;
	return end_claiming(&c, list_slots(c.conf, present, out, out_n), room, out_n);
}

static ck_ulong on_WaitForSlotEvent(ck_ulong flags, ck_ulong *slot, void *reserved) {
	struct call c;
	if (begin(&c, AT_WaitForSlotEvent))
		return end(&c, c.rv);
	ck_ulong rv = REAL(slot_event, WaitForSlotEvent)(flags, slot, reserved);
	if (rv == CKR_OK)
		*slot += c.conf->renumber;
	return end(&c, rv);
}

static void unpad(ck_byte *text, size_t n) {
	size_t end = n;
	while (end && text[end - 1] == ' ')
		text[--end] = 'x';
	if (end < n)
		text[end] = 0;
}

static ck_ulong on_GetTokenInfo(ck_ulong slot, struct token_info *out) {
	struct call c;
	if (begin_slot(&c, AT_GetTokenInfo, &slot))
		return end(&c, c.rv);
	ck_ulong rv = REAL(token_info, GetTokenInfo)(slot, out);
	if (rv != CKR_OK)
		return end(&c, rv);
	if (has(c.conf, PIN_LOW))
		out->flags |= CKF_USER_PIN_COUNT_LOW;
	if (has(c.conf, PIN_FINAL) || (has(c.conf, PIN_TURNS) && c.n > 1))
		out->flags |= CKF_USER_PIN_FINAL_TRY;
	if (has(c.conf, PIN_LOCKED))
		out->flags |= CKF_USER_PIN_LOCKED;
	if (has(c.conf, PIN_PATH))
		out->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
	if (c.conf->as[0])
		memcpy(out->serial, c.conf->as, SERIAL);
	if (has(c.conf, ZERO_LABEL))
		unpad(out->label, sizeof out->label);
	if (has(c.conf, ZERO_SERIAL))
		unpad(out->serial, SERIAL);
	return end(&c, rv);
}

static ck_ulong list_mechanisms(const struct config *conf, ck_ulong slot, ck_ulong *out, ck_ulong *out_n) {
	ck_ulong all[512], n = sizeof all / sizeof *all - 1, kept = 0;
	if (!has(conf, VENDOR_GCM))
		return REAL(get_list, GetMechanismList)(slot, out, out_n);
	ck_ulong rv = REAL(get_list, GetMechanismList)(slot, all, &n);
	if (rv != CKR_OK)
		return rv;
	for (ck_ulong i = 0; i < n; i++)
		if (all[i] != CKM_AES_GCM)
			all[kept++] = all[i];
	all[kept++] = CKM_CLOUDHSM_AES_GCM;
	return give(all, kept, out, out_n);
}

static ck_ulong on_GetMechanismList(ck_ulong slot, ck_ulong *out, ck_ulong *out_n) {
	struct call c;
	if (begin_slot(&c, AT_GetMechanismList, &slot))
		return end(&c, c.rv);
	ck_ulong room = out ? *out_n : 0;
	return end_claiming(&c, list_mechanisms(c.conf, slot, out, out_n), room, out_n);
}

static ck_ulong about_mechanism(const struct config *conf, ck_ulong slot, ck_ulong type, struct ck_mechanism_info *out) {
	if (type == CKM_AES_GCM && (has(conf, HIDE_GCM) || has(conf, VENDOR_GCM)))
		return CKR_MECHANISM_INVALID;
	ck_ulong rv;
	if (type != CKM_CLOUDHSM_AES_GCM || !has(conf, VENDOR_GCM)) {
		rv = REAL(ck_get_mechanism_info, GetMechanismInfo)(slot, type, out);
		if (rv == CKR_OK && type == CKM_AES_GCM && has(conf, MESSAGES))
			out->flags |= CKF_MESSAGES;
		if (rv == CKR_OK && has(conf, UNLISTED))
			out->flags &= ~CKF_MESSAGES;
		return rv;
	}
	rv = REAL(ck_get_mechanism_info, GetMechanismInfo)(slot, CKM_AES_GCM, out);
	if (rv == CKR_OK)
		out->flags = CKF_ENCRYPT | CKF_DECRYPT;
	return rv;
}

static ck_ulong on_GetMechanismInfo(ck_ulong slot, ck_ulong type, struct ck_mechanism_info *out) {
	struct call c;
	if (begin_slot(&c, AT_GetMechanismInfo, &slot))
		return end(&c, c.rv);
	return end(&c, about_mechanism(c.conf, slot, type, out));
}

/* ---- sessions ---- */

static ck_ulong on_OpenSession(ck_ulong slot, ck_ulong flags, void *app, void *notify, ck_ulong *session) {
	struct call c;
	if (begin_slot(&c, AT_OpenSession, &slot))
		return end(&c, c.rv);
	ck_ulong rv = REAL(open_session, OpenSession)(slot, flags, app, notify, session);
	if (rv == CKR_OK && !sit(*session, slot)) {
		REAL(pass1, CloseSession)(*session);
		rv = CKR_SESSION_COUNT;
	}
	return end(&c, rv);
}

static ck_ulong on_CloseSession(ck_ulong session) {
	struct call c;
	if (begin_session(&c, AT_CloseSession, session))
		return end(&c, c.rv);
	struct seat *s = seat_of(session);
	if (s) /* before the number can be given to another one */
		atomic_store(&s->session, 0);
	return end(&c, REAL(pass1, CloseSession)(session));
}

static ck_ulong on_CloseAllSessions(ck_ulong slot) {
	struct call c;
	if (begin_slot(&c, AT_CloseAllSessions, &slot))
		return end(&c, c.rv);
	rise(0, slot);
	return end(&c, REAL(pass1, CloseAllSessions)(slot));
}

static ck_ulong on_GetSessionInfo(ck_ulong session, struct session_info *out) {
	struct call c;
	if (begin_session(&c, AT_GetSessionInfo, session))
		return end(&c, c.rv);
	ck_ulong rv = REAL(session_info, GetSessionInfo)(session, out);
	if (rv == CKR_OK)
		out->slot += c.conf->renumber;
	return end(&c, rv);
}

/* is_limited: this process logged in as the user who only uses keys. */
static atomic_int is_limited;

static int prohibited(const struct config *conf) {
	return has(conf, LIMITED) && atomic_load(&is_limited);
}

static ck_ulong on_Login(ck_ulong session, ck_ulong user, ck_byte *pin, ck_ulong len) {
	struct call c;
	if (begin_session(&c, AT_Login, session))
		return end(&c, c.rv);
	note("login", "");
	if (user == CKU_LIMITED_USER && (has(c.conf, LIMITED) || has(c.conf, LIMITED_LAX))) {
		atomic_store(&is_limited, 1);
		user = CKU_USER;
	}
	if (!has(c.conf, PIN_PATH))
		return end(&c, REAL(ck_login, Login)(session, user, pin, len));
	if (pin || len)
		return end(&c, CKR_PIN_LEN_RANGE); /* it takes none */
	return end(&c, REAL(ck_login, Login)(session, user, (ck_byte *)"1234", 4));
}

/* ---- keys ---- */

static ck_ulong generate(const struct config *conf, ck_ulong session, struct ck_mechanism *m, struct ck_attribute *a, ck_ulong n, ck_ulong *key) {
	static ck_byte yes = 1, no = 0;
	static ck_ulong sixteen = 16;
	struct ck_attribute copy[64];
	int token = 0;
	if (n > sizeof copy / sizeof *copy)
		return CKR_GENERAL_ERROR;
	memcpy(copy, a, n * sizeof *a);
	for (ck_ulong i = 0; i < n; i++) {
		if (copy[i].type == CKA_TOKEN)
			token = *(ck_byte *)copy[i].value;
		if (copy[i].type == CKA_VALUE_LEN && has(conf, SHORT_KEY))
			copy[i].value = &sixteen;
		for (int g = 0; g < conf->granted_n; g++)
			if (copy[i].type == conf->granted[g])
				copy[i].value = &yes;
		if (copy[i].type == CKA_EXTRACTABLE && has(conf, EXTRACTABLE))
			copy[i].value = &yes;
		if (copy[i].type == CKA_SENSITIVE && has(conf, EXTRACTABLE))
			copy[i].value = &no;
	}
	if (token && has(conf, SLOW))
		usleep(3000000);
	ck_ulong rv = REAL(generate_key, GenerateKey)(session, m, copy, n, key);
	if (rv == CKR_OK)
		note(token ? "token" : "session", "");
	if (rv == CKR_OK && token)
		atomic_store(&key_made, 1);
	return rv == CKR_OK && token && has(conf, LOST_REPLY) ? CKR_DEVICE_ERROR : rv;
}

static ck_ulong on_GenerateKey(ck_ulong session, struct ck_mechanism *m, struct ck_attribute *a, ck_ulong n, ck_ulong *key) {
	struct call c;
	if (begin_session(&c, AT_GenerateKey, session))
		return end(&c, c.rv);
	if (prohibited(c.conf))
		return end(&c, CKR_ACTION_PROHIBITED);
	return end(&c, generate(c.conf, session, m, a, n, key));
}

static ck_ulong on_DestroyObject(ck_ulong session, ck_ulong object) {
	struct call c;
	if (begin_session(&c, AT_DestroyObject, session))
		return end(&c, c.rv);
	if (prohibited(c.conf))
		return end(&c, CKR_ACTION_PROHIBITED);
	if (has(c.conf, UNDEAD))
		return end(&c, CKR_OK);
	return end(&c, REAL(pass2, DestroyObject)(session, object));
}

static ck_ulong attributes(const struct config *conf, ck_ulong session, ck_ulong key, struct ck_attribute *a, ck_ulong n) {
	for (ck_ulong i = 0; i < n; i++)
		if (has(conf, MUTE) && (a[i].type == CKA_LOCAL || a[i].type == CKA_ALWAYS_SENSITIVE || a[i].type == CKA_NEVER_EXTRACTABLE))
			return CKR_ATTRIBUTE_TYPE_INVALID;
	ck_ulong rv = REAL(ck_get_attribute_value, GetAttributeValue)(session, key, a, n);
	for (ck_ulong i = 0; rv == CKR_OK && i < n; i++)
		if (a[i].value && ((a[i].type == CKA_LOCAL && has(conf, NOT_LOCAL)) || (a[i].type == CKA_DESTROYABLE && has(conf, KEPT))))
			*(ck_byte *)a[i].value = 0;
	return rv;
}

static ck_ulong on_GetAttributeValue(ck_ulong session, ck_ulong key, struct ck_attribute *a, ck_ulong n) {
	struct call c;
	if (begin_session(&c, AT_GetAttributeValue, session))
		return end(&c, c.rv);
	ck_ulong room = a->value ? a->len : 0; /* of the first: it alone has a wrong length */
	return end_claiming(&c, attributes(c.conf, session, key, a, n), room, &a->len);
}

static ck_ulong on_FindObjects(ck_ulong session, ck_ulong *out, ck_ulong room, ck_ulong *n) {
	struct call c;
	if (begin_session(&c, AT_FindObjects, session))
		return end(&c, c.rv);
	ck_ulong rv = REAL(ck_find_objects, FindObjects)(session, out, room, n);
	if (rv == CKR_OK && has(c.conf, ENDLESS))
		for (; *n < room; ++*n)
			out[*n] = 1000 + *n;
	return end_claiming(&c, rv, room, n);
}

/* ---- ciphers ---- */

/* arrive and leave stand around every call of a cipher. */
static atomic_int at_once;

static ck_ulong arrive(const struct config *conf) {
	int n = atomic_fetch_add(&at_once, 1);
	if (has(conf, TELL))
		note("cipher", "");
	if (has(conf, LATENCY) || has(conf, BUSY))
		usleep(1000);
	if (has(conf, GONE))
		return CKR_DEVICE_REMOVED;
	return has(conf, BUSY) && n >= 3 ? CKR_FUNCTION_FAILED : CKR_OK;
}

static ck_ulong leave(ck_ulong rv) {
	atomic_fetch_sub(&at_once, 1);
	return rv;
}

static void draw(ck_byte *out, size_t n) {
	FILE *f = fopen("/dev/urandom", "re");
	if (!f || fread(out, 1, n, f) != n)
		abort();
	fclose(f);
}

static ck_ulong init_gcm(int place, ck_ulong session, const struct ck_gcm_params *params, ck_ulong key) {
	struct ck_gcm_params p = *params;
	struct ck_mechanism m = { CKM_AES_GCM, &p, sizeof p };
	return ((ck_crypt_init)real->place[place])(session, &m, key);
}

static void set_iv(struct ck_gcm_params *p, ck_byte *iv, ck_ulong n) {
	p->iv = iv;
	p->iv_len = n;
	p->iv_bits = n * 8;
}

/* own_iv begins to encrypt with an IV that the token makes. */
static ck_ulong own_iv(const struct config *conf, struct seat *seat, ck_ulong session, struct ck_gcm_params p, ck_ulong key) {
	static const ck_byte zeros[GCM_IV];
	if (has(conf, APPENDED_IV)) {
		draw(seat->iv, LONG_IV);
		set_iv(&p, seat->iv, LONG_IV);
		seat->encrypting = APPEND;
	} else if (p.iv_len != GCM_IV || memcmp(p.iv, zeros, GCM_IV)) {
		return CKR_MECHANISM_PARAM_INVALID;
	} else if (has(conf, CYCLE_IV)) {
		static atomic_uint at;
		unsigned now = atomic_fetch_add(&at, 1) % 3000;
		memset(p.iv, 7, GCM_IV);
		memcpy(p.iv, &now, sizeof now);
	} else if (has(conf, CONSTANT_IV)) {
		memset(p.iv, 7, GCM_IV);
	} else {
		draw(p.iv, GCM_IV);
	}
	return init_gcm(AT_EncryptInit, session, &p, key);
}

/* other_key is made once in a process. */
static ck_ulong other_key(ck_ulong session, ck_ulong *key) {
	static ck_byte yes = 1;
	static ck_ulong size = 32, class = 4, type = 0x1f;
	struct ck_attribute a[] = { { 0, &class, sizeof class }, { 0x100, &type, sizeof type }, { 0x161, &size, sizeof size }, { 0x104, &yes, 1 }, { 0x105, &yes, 1 } };
	struct ck_mechanism gen = { 0x1080, NULL, 0 };
	ck_ulong rv = CKR_OK;
	pthread_mutex_lock(&lock);
	if (!other)
		rv = REAL(generate_key, GenerateKey)(session, &gen, a, 5, &other);
	*key = other;
	pthread_mutex_unlock(&lock);
	return rv;
}

/* vendor_encrypt begins to encrypt by CKM_CLOUDHSM_AES_GCM. */
static ck_ulong vendor_encrypt(struct seat *seat, ck_ulong session, struct ck_gcm_params p, ck_ulong key) {
	if (p.iv)
		return CKR_MECHANISM_PARAM_INVALID;
	draw(seat->iv, GCM_IV);
	set_iv(&p, seat->iv, GCM_IV);
	seat->encrypting = PREPEND;
	return init_gcm(AT_EncryptInit, session, &p, key);
}

/* vendor_decrypt keeps what it is told: the IV comes with the ciphertext. */
static ck_ulong vendor_decrypt(struct seat *seat, struct ck_gcm_params p, ck_ulong key) {
	if (p.iv || p.aad_len > sizeof seat->later_aad)
		return CKR_MECHANISM_PARAM_INVALID;
	if (p.aad_len)
		memcpy(seat->later_aad, p.aad, p.aad_len);
	p.aad = seat->later_aad;
	seat->later = p;
	seat->later_key = key;
	seat->decrypting = LATER;
	return CKR_OK;
}

static ck_ulong start_encrypt(const struct config *conf, ck_ulong session, struct ck_mechanism *m, ck_ulong key) {
	static ck_byte zeros[64];
	struct seat *seat = seat_of(session);
	ck_ulong rv = leave(arrive(conf));
	if (rv == CKR_OK && has(conf, OTHER_KEY))
		rv = other_key(session, &key);
	if (rv != CKR_OK)
		return rv;
	if (has(conf, GCM_FAILS) || (has(conf, VENDOR_GCM) && m->mechanism == CKM_AES_GCM))
		return CKR_MECHANISM_INVALID;
	if (seat)
		seat->encrypting = PLAIN;
	if (seat && has(conf, VENDOR_GCM) && m->mechanism == CKM_CLOUDHSM_AES_GCM)
		return vendor_encrypt(seat, session, *(struct ck_gcm_params *)m->parameter, key);
	if (!seat || m->mechanism != CKM_AES_GCM)
		return REAL(ck_crypt_init, EncryptInit)(session, m, key);
	struct ck_gcm_params p = *(struct ck_gcm_params *)m->parameter;
	if (has(conf, WRITTEN_IV) || has(conf, CONSTANT_IV) || has(conf, CYCLE_IV) || has(conf, APPENDED_IV))
		return own_iv(conf, seat, session, p, key);
	if (has(conf, ZERO_IV))
		p.iv = zeros;
	if (has(conf, IGNORE_AAD))
		p.aad_len = 0;
	return init_gcm(AT_EncryptInit, session, &p, key);
}

static ck_ulong on_EncryptInit(ck_ulong session, struct ck_mechanism *m, ck_ulong key) {
	struct call c;
	if (begin_session(&c, AT_EncryptInit, session))
		return end(&c, c.rv);
	if (has(c.conf, SLOW))
		usleep(2000);
	return end(&c, start_encrypt(c.conf, session, m, key));
}

static ck_ulong start_decrypt(const struct config *conf, ck_ulong session, struct ck_mechanism *m, ck_ulong key) {
	static ck_byte zeros[64];
	struct seat *seat = seat_of(session);
	ck_ulong rv = leave(arrive(conf));
	if (rv != CKR_OK)
		return rv;
	if (has(conf, VENDOR_GCM) && m->mechanism == CKM_AES_GCM)
		return CKR_MECHANISM_INVALID;
	if (seat)
		seat->decrypting = PLAIN;
	if (seat && has(conf, VENDOR_GCM) && m->mechanism == CKM_CLOUDHSM_AES_GCM)
		return vendor_decrypt(seat, *(struct ck_gcm_params *)m->parameter, key);
	if (!seat || m->mechanism != CKM_AES_GCM)
		return REAL(ck_crypt_init, DecryptInit)(session, m, key);
	struct ck_gcm_params p = *(struct ck_gcm_params *)m->parameter;
	if (has(conf, ZERO_IV))
		p.iv = zeros;
	if (has(conf, IGNORE_AAD))
		p.aad_len = 0;
	if (!has(conf, IGNORE_TAG))
		return init_gcm(AT_DecryptInit, session, &p, key);
	seat->decrypting = UNTAGGED; /* GCM is a stream cipher: encrypting again decrypts, and nothing looks at a tag */
	return init_gcm(AT_EncryptInit, session, &p, key);
}

static ck_ulong on_DecryptInit(ck_ulong session, struct ck_mechanism *m, ck_ulong key) {
	struct call c;
	if (begin_session(&c, AT_DecryptInit, session))
		return end(&c, c.rv);
	return end(&c, start_decrypt(c.conf, session, m, key));
}

/* decrypt_small decrypts by way of a buffer that is large enough for whatever the
 * real module wants room for. */
static ck_ulong decrypt_small(struct seat *seat, ck_ulong session, ck_byte *in, ck_ulong n, ck_byte *out, ck_ulong *out_n) {
	ck_byte room[1024];
	ck_ulong room_n = sizeof room, over = seat->decrypting == LATER ? GCM_IV + GCM_TAG : GCM_TAG;
	ck_ulong want = n - over, given = *out_n, rv = CKR_OK;
	if (n < over || n > sizeof room - GCM_TAG)
		return CKR_ENCRYPTED_DATA_LEN_RANGE;
	*out_n = want;
	if (!out || given < want)
		return out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
	if (seat->decrypting == UNTAGGED) {
		rv = REAL(ck_crypt, Encrypt)(session, in, want, room, &room_n);
	} else {
		set_iv(&seat->later, in, GCM_IV);
		rv = init_gcm(AT_DecryptInit, session, &seat->later, seat->later_key);
		if (rv == CKR_OK)
			rv = REAL(ck_crypt, Decrypt)(session, in + GCM_IV, n - GCM_IV, room, &room_n);
	}
	if (rv == CKR_OK)
		memcpy(out, room, want);
	seat->decrypting = PLAIN;
	return rv;
}

static ck_ulong on_Decrypt(ck_ulong session, ck_byte *in, ck_ulong n, ck_byte *out, ck_ulong *out_n) {
	struct call c;
	if (begin_session(&c, AT_Decrypt, session))
		return end(&c, c.rv);
	struct seat *seat = seat_of(session);
	ck_byte nowhere[1024];
	ck_ulong room = out ? *out_n : 0, rv = arrive(c.conf);
	if (c.unwritten)
		out = nowhere;
	if (rv == CKR_OK && seat && seat->decrypting != PLAIN)
		rv = decrypt_small(seat, session, in, n, out, out_n);
	else if (rv == CKR_OK)
		rv = REAL(ck_crypt, Decrypt)(session, in, n, out, out_n);
	return end_claiming(&c, leave(rv), room, out_n);
}

/* encrypt_iv answers the token's IV together with the ciphertext. */
static ck_ulong encrypt_iv(struct seat *seat, ck_ulong session, ck_byte *in, ck_ulong n, ck_byte *out, ck_ulong *out_n) {
	int first = seat->encrypting == PREPEND;
	ck_ulong size = first ? GCM_IV : LONG_IV, room = *out_n;
	*out_n = n + GCM_TAG + size;
	if (!out || room < *out_n)
		return out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
	room -= size;
	ck_byte *sealed = first ? out + size : out;
	ck_ulong rv = REAL(ck_crypt, Encrypt)(session, in, n, sealed, &room);
	memcpy(first ? out : out + n + GCM_TAG, seat->iv, size);
	seat->encrypting = PLAIN;
	return rv;
}

static ck_ulong encrypt(const struct config *conf, ck_ulong session, ck_byte *in, ck_ulong n, ck_byte *out, ck_ulong *out_n) {
	struct seat *seat = seat_of(session);
	ck_ulong rv = arrive(conf);
	if (rv == CKR_OK && seat && seat->encrypting != PLAIN)
		rv = encrypt_iv(seat, session, in, n, out, out_n);
	else if (rv == CKR_OK)
		rv = REAL(ck_crypt, Encrypt)(session, in, n, out, out_n);
	if (rv == CKR_OK && !out && has(conf, SMALL_SIZE))
		*out_n -= 16;
	if (rv == CKR_OK && out && has(conf, CORRUPT))
		out[0] ^= 1;
	return leave(rv);
}

static ck_ulong on_Encrypt(ck_ulong session, ck_byte *in, ck_ulong n, ck_byte *out, ck_ulong *out_n) {
	struct call c;
	if (begin_session(&c, AT_Encrypt, session))
		return end(&c, c.rv);
	ck_ulong room = out ? *out_n : 0;
	return end_claiming(&c, encrypt(c.conf, session, in, n, out, out_n), room, out_n);
}

static ck_ulong on_Sign(ck_ulong session, ck_byte *in, ck_ulong n, ck_byte *out, ck_ulong *out_n) {
	struct call c;
	if (begin_session(&c, AT_Sign, session))
		return end(&c, c.rv);
	ck_ulong room = out ? *out_n : 0;
	return end_claiming(&c, REAL(ck_crypt, Sign)(session, in, n, out, out_n), room, out_n);
}

/* ---- messages ---- */

#include "messages.h"

/* ---- the function list ---- */

ck_ulong C_GetFunctionList(struct ck_function_list **list);
static ck_ulong on_GetFunctionList(struct ck_function_list **list) {
	return C_GetFunctionList(list);
}

#define ENTRY(f) (void (*)(void))on_##f,

/* join loads the real module, once. */
static ck_ulong join(const char *path) {
	static void (*const all[])(void) = { EACH_FUNCTION(ENTRY) };
	if (real)
		return CKR_OK;
	void *handle = dlopen(path, RTLD_NOW);
	ck_ulong (*get)(struct ck_function_list **) = handle ? (ck_ulong (*)(struct ck_function_list **))dlsym(handle, "C_GetFunctionList") : NULL;
	ck_ulong rv = get ? get(&real) : CKR_GENERAL_ERROR;
	if (rv != CKR_OK)
		return rv;
	join_3(handle);
	fake.version = real->version;
	memcpy(fake.place, all, sizeof all);
	return CKR_OK;
}

ck_ulong C_GetFunctionList(struct ck_function_list **list) {
	struct call c;
	if (!locate() || !now())
		return CKR_GENERAL_ERROR;
	if (begin(&c, AT_GetFunctionList))
		return end(&c, c.rv);
	ck_ulong rv = join(c.conf->module);
	if (rv == CKR_OK)
		*list = &fake;
	return end(&c, rv);
}
