package steps

import (
	"errors"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// Refusals: a rule said no and nothing was changed.
var (
	ErrInstalled    = errors.New("this store is installed already")
	ErrNotInstalled = errors.New("this store has no kek_install lock")
	ErrStoreUsed    = errors.New("this store is not empty")
	ErrTokenUsed    = errors.New("the provider already holds a key of our form")
	ErrDoubtfulKey  = errors.New("the key may have been outside the token")
	ErrCanary       = errors.New("the canary is not the one the transcript tells")
	ErrPins         = engine.Unreached("module, token or IV mode is not that of the last ceremony")
	ErrOtherToken   = engine.Unreached("another token, module or IV mode than this run began with")
	ErrStrangers    = errors.New("envelopes outside the catalogue")
	ErrExclude      = errors.New("no envelope of that name is due")
	ErrVersion      = errors.New("not a version to rotate to")
	ErrFrom         = errors.New("not the version to rotate from")
	ErrNotReady     = errors.New("the fleet is not ready")
)
