package steps

import (
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// Refusals: a rule said no and nothing was changed.
var (
	ErrInstalled     = errors.New("this store is already installed")
	ErrAdopted       = errors.New("this database is for adopt, not for install")
	ErrNotInstalled  = errors.New("this store has no kek_install lock")
	ErrStoreUsed     = errors.New("this store is not empty")
	ErrTokenUsed     = errors.New("the provider already holds a key with a kekceremony label")
	ErrDoubtfulKey   = errors.New("the key may have been outside the token")
	ErrLostKey       = errors.New("the provider has no key of a version whose row the store lost")
	ErrCanary        = errors.New("the canary is not the one in the transcript")
	ErrPins          = engine.Unreached("the module, token or IV mode differs from the last ceremony")
	ErrOtherToken    = engine.Unreached("the token, module or IV mode differs from the one this run began with")
	ErrStrangers     = errors.New("envelopes outside the catalogue")
	ErrExclude       = errors.New("no envelope of that name needs a re-wrap")
	ErrVersion       = errors.New("not a version to rotate to")
	ErrSpent         = errors.New("the version has wrapped nearly as often as one key may")
	ErrFrom          = errors.New("not the version to rotate from")
	ErrNotReady      = errors.New("the fleet is not ready")
	ErrNoSuchVersion = errors.New("no such version")
	ErrActive        = errors.New("writers use it")
	ErrNotRetired    = errors.New("only a version that is retired or compromised is disabled")
	ErrNeeded        = errors.New("envelopes are at it")
	ErrAnyVersion    = errors.New("envelopes at no version that there is may be at it")
	ErrDisabled      = errors.New("it is disabled")
	ErrDestroyed     = errors.New("a destruction is never undone")
	ErrDestroying    = fmt.Errorf("its destruction was begun: %w", ErrDestroyed)
	ErrKeyGone       = fmt.Errorf("no copy of its key is left: %w", ErrDestroyed)
	ErrCompromised   = errors.New("the version is compromised: nothing is written with it")
	ErrNotInUse      = errors.New("nobody reads or writes with it")
	ErrChanged       = errors.New("it changed since this install began")
)
