package pkcs11

import (
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/provider"
)

// named gives a PKCS#11 error by its name alone: "CKR_PIN_LOCKED".
func named(err error) error {
	var e pkcs11.Error
	if !errors.As(err, &e) {
		return err
	}
	if e == pkcs11.CKR_ACTION_PROHIBITED { // which miekg's list of names lacks
		return &Error{uint(e), "CKR_ACTION_PROHIBITED"}
	}
	if name := strings.TrimPrefix(e.Error(), fmt.Sprintf("pkcs11: 0x%X: ", uint(e))); name != "" {
		return &Error{uint(e), name}
	}
	return &Error{uint(e), fmt.Sprintf("CKR 0x%08X", uint(e))}
}

// errTooLong is for a count or a length of more than the module had room for. Nothing of
// such an answer is read.
var errTooLong = errors.New("impossible answer of the module: more than there was room for")

// errChanged is for a message call that changed what it was given: the place or the length of its
// IV or its tag, or what stands after the tag.
var errChanged = errors.New("impossible answer of the module: it changed what it was given")

// Error is a return value of the module.
type Error struct {
	Code uint
	Name string // as in the standard
}

func (e *Error) Error() string { return e.Name }

// Is makes every answer of a token that is not there provider.ErrGone, and of one that
// is busy provider.ErrBusy.
func (e *Error) Is(target error) bool {
	return target == provider.ErrGone && (isGone(e) || isLost(e)) || target == provider.ErrBusy && isBusy(e)
}

// isBusy reports an answer that a token gives when it has too much to do
// (CloudHSM answers CKR_FUNCTION_FAILED or CKR_OPERATION_ACTIVE).
func isBusy(err error) bool {
	return is(err, pkcs11.CKR_FUNCTION_FAILED, pkcs11.CKR_OPERATION_ACTIVE, pkcs11.CKR_DEVICE_MEMORY,
		pkcs11.CKR_HOST_MEMORY)
}

// isLost reports that a session is gone while the token is there, or a key's handle.
func isLost(err error) bool {
	return is(err, pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_KEY_HANDLE_INVALID,
		pkcs11.CKR_OBJECT_HANDLE_INVALID)
}

// isGone reports that the token is not there.
func isGone(err error) bool {
	return is(err, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_DEVICE_ERROR,
		pkcs11.CKR_USER_NOT_LOGGED_IN)
}

func is(err error, codes ...uint) bool {
	var e pkcs11.Error
	var n *Error
	switch {
	case errors.As(err, &e):
	case errors.As(err, &n):
		e = pkcs11.Error(n.Code)
	default:
		return false
	}
	for _, c := range codes {
		if uint(e) == c {
			return true
		}
	}
	return false
}
