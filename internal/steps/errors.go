package steps

import (
	"errors"
	"fmt"
	"strings"
)

// Refusals: a rule said no and nothing was changed.
var (
	ErrInstalled    = errors.New("this store is installed already")
	ErrNotInstalled = errors.New("this store has no kek_install lock")
	ErrStoreUsed    = errors.New("this store is not empty")
	ErrTokenUsed    = errors.New("the provider already holds a key of our form")
	ErrLockDiffers  = errors.New("the configuration does not match the kek_install lock")
	ErrPlanted      = errors.New("it is there although this ceremony has not made it")
	ErrDoubtfulKey  = errors.New("the key may have been outside the token")
	ErrCanary       = errors.New("the canary is not the one the transcript tells")
	ErrPins         = errors.New("module, token or IV mode is not that of the last ceremony")
	ErrOtherToken   = errors.New("another token, module or IV mode than this run began with")
	ErrHistory      = errors.New("the store's ceremonies do not follow from each other")
	ErrMode         = errors.New("a rehearsal's chain and a production chain cannot be mixed")
	ErrStrangers    = errors.New("envelopes outside the catalogue")
	ErrExclude      = errors.New("no envelope of that name is due")
	ErrPlanMoved    = errors.New("the plan is not what was approved any more")
	ErrUndone       = errors.New("something that was done is not done any more")
	ErrVersion      = errors.New("not a version to rotate to")
	ErrFrom         = errors.New("not the version to rotate from")
	ErrNotReady     = errors.New("the fleet is not ready")
	ErrUnfinished   = errors.New("another ceremony is not finished")
)

// ErrDisagreed is returned when a ceremony was held to its end and too few say
// that it went as its steps say.
var ErrDisagreed = errors.New("too few agree that the script was followed")

// ErrAnswer is returned for an answer that its question does not take, given by
// a room that has no other.
var ErrAnswer = errors.New("not an answer to the question")

// ErrNothingDue is returned when the store already is what was asked for.
var ErrNothingDue = errors.New("nothing is due")

// ErrInterrupted is returned when the run was stopped from outside. What is in
// the log is safe, and the same command goes on.
var ErrInterrupted = errors.New("interrupted")

// MissingAnswers lists every question that nobody is there to answer.
type MissingAnswers struct {
	Step   string
	Fields []Field
}

func (e *MissingAnswers) Error() string {
	names := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		names[i] = f.Name
	}
	return fmt.Sprintf("step %s: no answer to %s", e.Step, strings.Join(names, ", "))
}

// WaitingError is returned when people are missing: each line of Sign makes one
// missing signature, and then the same command goes on.
type WaitingError struct {
	Step       string
	Have, Need int
	Sign       []string
}

func (e *WaitingError) Error() string {
	return fmt.Sprintf("step %s: %d of %d have signed", e.Step, e.Have, e.Need)
}

// BundleError is any error of a ceremony that has a bundle.
type BundleError struct {
	Dir string
	Err error
}

func (e *BundleError) Error() string { return e.Err.Error() }
func (e *BundleError) Unwrap() error { return e.Err }
