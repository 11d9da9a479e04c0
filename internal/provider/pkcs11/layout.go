package pkcs11

// #include "cryptoki.h"
import "C"

import (
	"errors"
	"reflect"
	"unsafe"

	"github.com/miekg/pkcs11"
)

// functions is the module's function list: the very one that miekg's Ctx
// holds. Asking C_GetFunctionList again would be another instance on p11-kit.
type functions struct{ list *C.struct_ck_function_list }

// The fields that lead from a Ctx to its function list, and to the module as the loader
// knows it. They are private to miekg, so nothing is assumed of them: checkLayout looks
// for them by name.
const (
	fieldCtx    = "ctx"
	fieldList   = "sym"
	fieldModule = "handle"
)

var errLayout = errors.New("this program was built with a github.com/miekg/pkcs11 that it does not know; " +
	"build it with the version in its go.mod")

// CheckBuild refuses a program that was built with a miekg/pkcs11 whose function list is
// not where it is looked for. It needs no module.
func CheckBuild() error { return checkLayout(reflect.TypeFor[pkcs11.Ctx]()) }

// checkLayout refuses a Ctx that does not lead to a function list, or to one that is
// not the standard's at the places that are called here. It needs no module.
func checkLayout(ctx reflect.Type) error {
	inner, ok := pointee(ctx, fieldCtx)
	if !ok {
		return errLayout
	}
	list, ok := pointee(inner, fieldList)
	module, found := inner.FieldByName(fieldModule)
	if !ok || !found || module.Type.Kind() != reflect.UnsafePointer {
		return errLayout
	}
	const size = unsafe.Sizeof(uintptr(0))
	for name, place := range map[string]uintptr{
		"C_GetSlotList": C.PLACE_C_GET_SLOT_LIST, "C_Login": C.PLACE_C_LOGIN,
		"C_GetAttributeValue": C.PLACE_C_GET_ATTRIBUTE_VALUE, "C_FindObjects": C.PLACE_C_FIND_OBJECTS,
		"C_EncryptInit": C.PLACE_C_ENCRYPT_INIT, "C_Encrypt": C.PLACE_C_ENCRYPT,
		"C_DecryptInit": C.PLACE_C_DECRYPT_INIT, "C_Decrypt": C.PLACE_C_DECRYPT,
		"C_SignInit": C.PLACE_C_SIGN_INIT, "C_Sign": C.PLACE_C_SIGN} {
		f, ok := list.FieldByName(name)
		if !ok || f.Offset != unsafe.Offsetof(C.struct_ck_function_list{}.place)+place*size {
			return errLayout
		}
	}
	return nil
}

// pointee is the struct that a field of a struct points to.
func pointee(t reflect.Type, field string) (reflect.Type, bool) {
	f, ok := t.FieldByName(field)
	if !ok || f.Type.Kind() != reflect.Pointer || f.Type.Elem().Kind() != reflect.Struct {
		return nil, false
	}
	return f.Type.Elem(), true
}

// functionsOf is for a Ctx of which checkLayout was asked, and so is moduleOf.
func functionsOf(ctx *pkcs11.Ctx) functions {
	return functions{(*C.struct_ck_function_list)(inside(ctx, fieldList))}
}

// moduleOf is what dlopen answered.
func moduleOf(ctx *pkcs11.Ctx) unsafe.Pointer { return inside(ctx, fieldModule) }

func inside(ctx *pkcs11.Ctx, field string) unsafe.Pointer {
	return reflect.ValueOf(ctx).Elem().FieldByName(fieldCtx).Elem().FieldByName(field).UnsafePointer()
}
