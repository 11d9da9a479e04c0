package pkcs11

import (
	"context"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// Tries implements provider.PINLogin.
func (p *Provider) Tries(context.Context) (provider.Tries, error) {
	p.entered.Wipe()
	return p.tries()
}

func (p *Provider) tries() (provider.Tries, error) {
	t := provider.Tries{Token: printable.Text(p.info.Label), Serial: printable.Text(p.info.SerialNumber)}
	if p.loggedIn {
		t.In = true
		return t, nil
	}
	info, err := p.ctx.GetTokenInfo(p.slot)
	if err != nil {
		return t, fmt.Errorf("read the PIN's counter of token %s: %w", printable.Quote(p.cfg.TokenLabel), named(err))
	}
	if info.Flags&pkcs11.CKF_USER_PIN_LOCKED != 0 {
		return t, fmt.Errorf("log in to token %s: CKF_USER_PIN_LOCKED: %w",
			printable.Quote(p.cfg.TokenLabel), provider.ErrPINLocked)
	}
	t.Ask = info.Flags&pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH == 0
	switch {
	case info.Flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0:
		t.Final, t.Warning = true, "the next wrong PIN locks it"
	case info.Flags&pkcs11.CKF_USER_PIN_COUNT_LOW != 0:
		t.Warning = "a wrong PIN was entered since the last good one"
	}
	return t, nil
}

// Enter implements provider.PINLogin.
func (p *Provider) Enter(ctx context.Context, from provider.Source) error {
	if err := p.entered.Add(ctx, from); err != nil {
		return fmt.Errorf("ask for the PIN of token %s: %w", printable.Quote(p.cfg.TokenLabel), err)
	}
	return nil
}

// Login implements provider.PINLogin. It reads the token's counter again: somebody
// else may have tried since it was asked for. No program ever retries a PIN.
func (p *Provider) Login(_ context.Context, final bool) error {
	defer p.entered.Wipe()
	p.compared = false
	if p.loggedIn {
		return nil
	}
	tries, err := p.tries()
	if err != nil {
		return untried(err)
	}
	token, pin := printable.Quote(p.cfg.TokenLabel), p.entered.Bytes()
	switch {
	case tries.Final && !final:
		return untried(fmt.Errorf("log in to token %s: CKF_USER_PIN_FINAL_TRY: %w", token, provider.ErrFinalTry))
	case tries.Ask && len(pin) == 0:
		// A zero length would mean the protected path (PKCS#11 v2.40, 5.6 C_Login).
		return untried(fmt.Errorf("log in to token %s: empty PIN: %w", token, provider.ErrPINRefused))
	case tries.Ask && len(pin) < p.shortest():
		// Nobody's PIN, but perhaps an answer to another question, typed too late.
		return untried(fmt.Errorf("log in to token %s: no PIN of it is shorter than %d bytes: %w",
			token, p.shortest(), provider.ErrPINRefused))
	case !tries.Ask:
		pin = nil // the token has a keypad
	}
	// Another login is ours as well: it is of the whole application.
	err = p.call.login(p.h, p.cfg.loginUser(), pin)
	p.compared = err == nil
	if err != nil && !is(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN) {
		return fmt.Errorf("log in to token %s: %w%s", token, refusedPIN(err), p.after(err))
	}
	p.loggedIn = true
	return nil
}

// Compared implements provider.Compared.
func (p *Provider) Compared() bool { return p.compared }

// shortest is the length of the token's shortest PIN in bytes (ulMinPinLen of PKCS#11
// v2.40, 3.2), if it names one that can be.
func (p *Provider) shortest() int {
	if n := p.info.MinPinLen; n <= p.info.MaxPinLen && n <= maxShortest {
		return int(n)
	}
	return 0
}

// maxShortest is the longest shortest PIN in bytes that a token is believed to have.
const maxShortest = 64

// after is what the token reports of its PIN once it was refused.
func (p *Provider) after(err error) string {
	if !errors.Is(refusedPIN(err), provider.ErrPINRefused) {
		return ""
	}
	tries, err := p.tries()
	switch {
	case errors.Is(err, provider.ErrPINLocked):
		return "; it is locked now"
	case tries.Final:
		return "; " + tries.Warning
	}
	return ""
}

// untried says that no PIN reached the token. The error reads as it is.
func untried(err error) error { return untriedError{err} }

type untriedError struct{ error }

func (e untriedError) Unwrap() []error { return []error{e.error, provider.ErrUntried} }

// refusedPIN marks the answers after which nobody may simply try again, and those with
// which a token says that it has compared no PIN. SoftHSM2 gives
// CKR_USER_PIN_NOT_INITIALIZED when processes open one token at once. What any other
// answer means for the counter is not known.
func refusedPIN(err error) error {
	var e pkcs11.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e {
	case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_EXPIRED:
		return fmt.Errorf("%w: %w", named(err), provider.ErrPINRefused)
	case pkcs11.CKR_PIN_LOCKED:
		return fmt.Errorf("%w: %w", named(err), provider.ErrPINLocked)
	case pkcs11.CKR_FUNCTION_CANCELED: // at the keypad
		return untried(fmt.Errorf("%w: %w", named(err), provider.ErrPINRefused))
	case pkcs11.CKR_USER_PIN_NOT_INITIALIZED, pkcs11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
		pkcs11.CKR_USER_TOO_MANY_TYPES, pkcs11.CKR_USER_TYPE_INVALID, pkcs11.CKR_TOKEN_NOT_PRESENT,
		pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_OPERATION_ACTIVE,
		pkcs11.CKR_ARGUMENTS_BAD, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED:
		return untried(named(err))
	}
	return named(err)
}
