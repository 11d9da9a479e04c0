package pkcs11

/*
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "message.h"

// Copies what a module points at, by way of a pipe: the kernel refuses to read what is not
// there, where this program would die.
static int copied(const void *from, void *to, size_t n) {
	int fd[2], whole;
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK))
		return 0;
	whole = syscall(SYS_write, fd[1], from, n) == (long)n && read(fd[0], to, n) == (ssize_t)n;
	close(fd[0]);
	close(fd[1]);
	return whole;
}

static int has_code(struct dl_phdr_info *o, size_t size, void *at) {
	uintptr_t p = *(uintptr_t *)at;
	(void)size;
	for (int i = 0; i < o->dlpi_phnum; i++) {
		uintptr_t start = o->dlpi_addr + o->dlpi_phdr[i].p_vaddr;
		if (o->dlpi_phdr[i].p_type == PT_LOAD && o->dlpi_phdr[i].p_flags & PF_X &&
		    p >= start && p - start < o->dlpi_phdr[i].p_memsz)
			return 1;
	}
	return 0;
}

// Whether a function is code of a library that is loaded.
static int callable(void (*f)(void)) {
	uintptr_t p = (uintptr_t)f;
	return p && dl_iterate_phdr(has_code, &p);
}

enum found { FOUND, NO_FUNCTION, REFUSED, NO_LIST, OTHER_VERSION, NO_CODE, NO_MECHANISM };

// Asks the module for its interface 3.0 (PKCS#11 3.0, 5.4.4) and takes the functions for messages from it.
// The flags of the mechanism are those that this interface tells: by that of 2.40 NSS softokn hides those of 3.0.
static int find_messages(void *module, ck_ulong slot, struct lanes *m, ck_ulong *rv, ck_byte version[2]) {
	static const int wanted[] = {
		PLACE_C_GET_MECHANISM_INFO,
		PLACE_C_MESSAGE_ENCRYPT_INIT, PLACE_C_ENCRYPT_MESSAGE, PLACE_C_MESSAGE_ENCRYPT_FINAL,
		PLACE_C_MESSAGE_DECRYPT_INIT, PLACE_C_DECRYPT_MESSAGE, PLACE_C_MESSAGE_DECRYPT_FINAL
	};
	ck_byte three[2] = { 3, 0 };
	struct ck_interface *at = NULL, found;
	struct ck_function_list_3 list;
	struct ck_mechanism_info about = { 0 };
	ck_get_interface get = (ck_get_interface)dlsym(module, "C_GetInterface");
	if (!get)
		return NO_FUNCTION;
	if ((*rv = get("PKCS 11", three, &at, 0)) != CKR_OK)
		return REFUSED;
	if (!copied(at, &found, sizeof found) || !copied(found.list, version, 2))
		return NO_LIST;
	if (version[0] != 3)
		return OTHER_VERSION;
	if (!copied(found.list, &list, sizeof list))
		return NO_LIST;
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		if (!callable(list.place[wanted[i]]))
			return NO_CODE;
	*rv = ((ck_get_mechanism_info)list.place[PLACE_C_GET_MECHANISM_INFO])(slot, CKM_AES_GCM, &about);
	if (*rv != CKR_OK)
		return REFUSED;
	if ((about.flags & CKF_MESSAGES) != CKF_MESSAGES)
		return NO_MECHANISM;
	m->encrypt.init = (ck_crypt_init)list.place[PLACE_C_MESSAGE_ENCRYPT_INIT];
	m->encrypt.message = (ck_message)list.place[PLACE_C_ENCRYPT_MESSAGE];
	m->encrypt.final = (ck_message_final)list.place[PLACE_C_MESSAGE_ENCRYPT_FINAL];
	m->decrypt.init = (ck_crypt_init)list.place[PLACE_C_MESSAGE_DECRYPT_INIT];
	m->decrypt.message = (ck_message)list.place[PLACE_C_DECRYPT_MESSAGE];
	m->decrypt.final = (ck_message_final)list.place[PLACE_C_MESSAGE_DECRYPT_FINAL];
	return FOUND;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// errTwoCalls is for a module that does not have messages.
var errTwoCalls = errors.New("the module has no C_GetInterface")

// findInterface takes the functions for messages from the module's interface 3.0. Nothing of what
// the module points at is believed: it may be nowhere, too short, or no code.
func findInterface(module unsafe.Pointer, slot uint) (lanes, error) {
	var m lanes
	var rv C.ck_ulong
	var version [2]C.ck_byte
	switch C.find_messages(module, C.ck_ulong(slot), &m, &rv, &version[0]) {
	case C.FOUND:
		return m, nil
	case C.NO_FUNCTION:
		return m, errTwoCalls
	case C.REFUSED:
		return m, fmt.Errorf("its interface 3.0: %w", named(asError(rv)))
	case C.OTHER_VERSION:
		return m, fmt.Errorf("C_GetInterface, asked for 3.0, answers a function list of %d.%d", version[0], version[1])
	case C.NO_MECHANISM:
		return m, errors.New("CKM_AES_GCM cannot encrypt and decrypt messages")
	case C.NO_CODE:
		return m, errors.New("the function list of C_GetInterface lacks a function for messages")
	}
	return m, errors.New("C_GetInterface answers no function list")
}
