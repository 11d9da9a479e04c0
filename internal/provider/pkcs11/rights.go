package pkcs11

import (
	"context"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// TrialKey implements provider.Limited. It has no form of ours, so nobody takes it for a KEK.
func (c Config) TrialKey() kek.Name { return trialKey }

var trialKey = kek.Name{Label: "kekceremony-trial", ID: []byte("kekceremony-trial")}

// probeRights finds out what the user of an application may do to keys. It tries each on nothing
// that matters: a session key of its own, and the trial key that the console made.
func (p *Provider) probeRights(ctx context.Context, report func(provider.Verdict)) error {
	return provider.RunChecks(ctx, []provider.Check{
		{Line: "user", Try: p.userType},
		{Line: "makes none", Try: p.makesNone},
		{Line: "destroys none", Try: p.destroysNone},
	}, report)
}

func (p *Provider) userType() (string, error) {
	return fmt.Sprintf("logged in as user type 0x%x", p.cfg.loginUser()), nil
}

// makesNone tries a session key, which goes with the session.
func (p *Provider) makesNone() (string, error) {
	h, err := p.generate(false, trialKey.Label, trialKey.ID)
	if err == nil {
		_ = p.ctx.DestroyObject(p.h, h)
		return "", errors.New("this user can make keys")
	}
	return refusal(err)
}

// destroysNone looks again after a refusal: an answer is not what was done.
func (p *Provider) destroysNone() (string, error) {
	key, err := p.only(trialKey)
	if errors.Is(err, provider.ErrNoKey) {
		return "note: not tried: this user does not see the console's trial key; share it with the user", nil
	}
	if err != nil {
		return "", err
	}
	refused := p.ctx.DestroyObject(p.h, key)
	if _, err := p.only(trialKey); err != nil {
		return "", fmt.Errorf("this user can destroy keys: %w", err)
	}
	if refused == nil {
		return "", errors.New("the token said that it destroyed a key, which is still there")
	}
	return refusal(refused)
}

// refusal says how the token refused; an answer of a token that is not there is none.
func refusal(err error) (string, error) {
	if isGone(err) || isLost(err) || isBusy(err) {
		return "", named(err)
	}
	var answer pkcs11.Error
	var known *Error
	if !errors.As(err, &answer) && !errors.As(err, &known) {
		return "", err
	}
	if known == nil {
		errors.As(named(answer), &known)
	}
	return "refused: " + known.Name, nil
}
