package pkcs11

/*
#include "cryptoki.h"

// The number is asked for first: only that has the module look for slots (PKCS#11 v2.40, 5.5
// C_GetSlotList), and until it is asked again there are as many.
static ck_ulong slots(struct ck_function_list *f, ck_ulong *list, ck_ulong *n) {
	ck_get_slot_list get = (ck_get_slot_list)f->place[PLACE_C_GET_SLOT_LIST];
	ck_ulong room = *n, rv;
	*n = 0;
	rv = within(get(1, NULL, n), n, room);
	if (rv != CKR_OK)
		return rv;
	room = *n;
	return within(get(1, list, n), n, room);
}
*/
import "C"

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// findToken looks for the one initialized token of the label and, if given, the serial. Both
// are padded with spaces (PKCS#11 v2.40, 3.2 CK_TOKEN_INFO). A module that ends them with a
// zero byte may leave anything after it, something else each time: the serial is pinned.
func (p *Provider) findToken() error {
	slots, err := p.call.slots()
	if err != nil {
		return fmt.Errorf("list slots: %w", named(err))
	}
	var serials []string
	for _, slot := range slots {
		info, err := p.ctx.GetTokenInfo(slot)
		if err != nil {
			return fmt.Errorf("read token in slot %d: %w", slot, named(err))
		}
		if info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 || beforeZero(info.Label) != p.cfg.TokenLabel {
			continue
		}
		if p.cfg.TokenSerial != "" && beforeZero(info.SerialNumber) != p.cfg.TokenSerial {
			continue
		}
		if unclear(info.Label) || unclear(info.SerialNumber) {
			return fmt.Errorf("read token in slot %d: its label or its serial ends in a zero byte, and something follows", slot)
		}
		p.slot, p.info = slot, info
		serials = append(serials, printable.Text(info.SerialNumber))
	}
	label := printable.Quote(p.cfg.TokenLabel)
	switch {
	case len(serials) == 0 && p.cfg.TokenSerial != "":
		return fmt.Errorf("find token %s of serial %s: %w", label, printable.Quote(p.cfg.TokenSerial), provider.ErrNoToken)
	case len(serials) == 0:
		return fmt.Errorf("find token %s: %w", label, provider.ErrNoToken)
	case len(serials) > 1:
		return fmt.Errorf("find token %s: %w: serials %s", label, provider.ErrTokens, strings.Join(serials, ", "))
	}
	return nil
}

// unclear reports a text after whose end something else stands.
func unclear(text string) bool { return strings.Trim(text[len(beforeZero(text)):], "\x00 ") != "" }

func beforeZero(text string) string {
	before, _, _ := strings.Cut(text, "\x00")
	return before
}

// maxSlots bounds the slots of a module.
const maxSlots = 4096

// slots lists the slots that have a token.
func (f functions) slots() ([]uint, error) {
	list := make([]uint, maxSlots)
	n := C.ck_ulong(len(list))
	if err := asError(C.slots(f.list, (*C.ck_ulong)(unsafe.Pointer(unsafe.SliceData(list))), &n)); err != nil {
		return nil, err
	}
	return list[:n], nil
}
