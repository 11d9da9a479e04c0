package pkcs11

import (
	"context"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// Login implements provider.Provider. It reads the token's try counter first
// and makes one attempt at most: no program ever retries a PIN.
func (p *Provider) Login(ctx context.Context, ask provider.AskPIN) error {
	if p.loggedIn {
		return nil
	}
	token := printable.Quote(p.cfg.TokenLabel)
	flags, warning, err := p.tries()
	if err != nil {
		return fmt.Errorf("log in to token %s: %w", token, err)
	}
	var pin []byte
	if flags&pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH == 0 {
		buf, err := ask(ctx, printable.Text(p.info.Label), warning)
		if err != nil {
			return fmt.Errorf("ask for the PIN of token %s: %w", token, err)
		}
		defer buf.Wipe()
		if pin = buf.Bytes(); len(pin) == 0 {
			// A zero length would mean the protected path (PKCS#11 v2.40, 5.6 C_Login).
			return fmt.Errorf("log in to token %s: empty PIN: %w", token, provider.ErrPINRefused)
		}
		if _, _, err := p.tries(); err != nil { // somebody else may have tried meanwhile
			return fmt.Errorf("log in to token %s: %w", token, err)
		}
	}
	if err := p.call.login(p.h, pin); err != nil && !is(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN) { // the login is of the whole application
		return fmt.Errorf("log in to token %s: %w", token, refusedPIN(err))
	}
	p.loggedIn = true
	return nil
}

// tries reads the token's flags, the PIN counters among them.
func (p *Provider) tries() (flags uint, warning string, err error) {
	info, err := p.ctx.GetTokenInfo(p.slot)
	if err != nil {
		return 0, "", named(err)
	}
	switch flags := info.Flags; {
	case flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return flags, "", fmt.Errorf("CKF_USER_PIN_LOCKED: %w", provider.ErrPINLocked)
	case flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0:
		return flags, "", fmt.Errorf("CKF_USER_PIN_FINAL_TRY: %w", provider.ErrPINLocked)
	case flags&pkcs11.CKF_USER_PIN_COUNT_LOW != 0:
		return flags, "a wrong PIN was entered since the last good one", nil
	}
	return info.Flags, "", nil
}

// refusedPIN marks the answers after which nobody may simply try again. Not
// among them is CKR_USER_PIN_NOT_INITIALIZED: no PIN was compared, no try is
// used up, and SoftHSM2 gives it when processes open one token at once.
func refusedPIN(err error) error {
	var e pkcs11.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e {
	case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_FUNCTION_CANCELED:
		return fmt.Errorf("%w: %w", named(err), provider.ErrPINRefused)
	case pkcs11.CKR_PIN_LOCKED:
		return fmt.Errorf("%w: %w", named(err), provider.ErrPINLocked)
	}
	return named(err)
}
