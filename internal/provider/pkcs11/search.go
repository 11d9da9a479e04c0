package pkcs11

/*
#include "cryptoki.h"

static ck_ulong objects(struct ck_function_list *f, ck_ulong session, ck_ulong *list, ck_ulong *n) {
	ck_ulong room = *n;
	*n = 0;
	return within(((ck_find_objects)f->place[PLACE_C_FIND_OBJECTS])(session, list, room, n), n, room);
}
*/
import "C"

import (
	"cmp"
	"fmt"
	"slices"
	"unsafe"

	"github.com/miekg/pkcs11"
)

// maxObjects bounds what one search may find: a module could answer without an end.
const maxObjects = 100_000

var errEndless = fmt.Errorf("impossible answer of the module: one search found more than %d objects", maxObjects)

// find lists the objects of any class that have the attributes.
func (s *session) find(with ...*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	if err := s.p.ctx.FindObjectsInit(s.h, with); err != nil {
		return nil, named(err)
	}
	all, err := s.found()
	if err := cmp.Or(err, s.p.ctx.FindObjectsFinal(s.h)); err != nil {
		return nil, named(err)
	}
	slices.Sort(all)
	return all, nil
}

// found lists what a search that has begun finds.
func (s *session) found() (all []pkcs11.ObjectHandle, err error) {
	page := make([]pkcs11.ObjectHandle, 100)
	for len(all) <= maxObjects {
		n, err := s.p.call.objects(s.h, page)
		if err != nil || n == 0 {
			return all, err
		}
		all = append(all, page[:n]...)
	}
	return nil, errEndless
}

// objects is C_FindObjects (PKCS#11 v2.40, 5.7), and returns how much of page was filled.
func (f functions) objects(s pkcs11.SessionHandle, page []pkcs11.ObjectHandle) (int, error) {
	n := C.ck_ulong(len(page))
	err := asError(C.objects(f.list, C.ck_ulong(s), (*C.ck_ulong)(unsafe.Pointer(unsafe.SliceData(page))), &n))
	return int(n), err
}
