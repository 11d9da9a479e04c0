package pkcs11_test

import (
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
)

const refusal = "this program was built with a github.com/miekg/pkcs11 that it does not know"

func TestCheckLayoutRefuses(t *testing.T) {
	type list struct {
		C_GetSlotList, C_Login, C_GetAttributeValue, C_FindObjects, C_EncryptInit, C_Encrypt, C_DecryptInit,
		C_Decrypt, C_SignInit, C_Sign uintptr
	}
	for name, ctx := range map[string]reflect.Type{
		"no inner struct":     reflect.TypeFor[struct{ sym *list }](),
		"inner struct inside": reflect.TypeFor[struct{ ctx struct{ sym *list } }](),
		"no list":             reflect.TypeFor[struct{ ctx *struct{ handle uintptr } }](),
		"untyped list":        reflect.TypeFor[struct{ ctx *struct{ sym unsafe.Pointer } }](),
		"list of a list":      reflect.TypeFor[struct{ ctx *struct{ sym **list } }](),
		"other functions": reflect.TypeFor[struct {
			ctx *struct{ sym *struct{ version uint16 } }
		}](),
		"other places": reflect.TypeFor[struct{ ctx *struct{ sym *list } }](),
	} {
		if err := pkcs11.CheckLayout(ctx); err == nil || !strings.Contains(err.Error(), refusal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
