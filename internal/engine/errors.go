package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/signing"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Refusals: a rule said no and nothing was changed.
var (
	ErrPlanted    = errors.New("it exists, but this ceremony did not make it")
	ErrMode       = errors.New("a rehearsal's chain and a production chain cannot be mixed")
	ErrPlanMoved  = errors.New("the plan is no longer the one that was approved")
	ErrUndone     = errors.New("a completed change is no longer in effect")
	ErrUnfinished = errors.New("another ceremony is not finished")
	ErrNoAbort    = errors.New("it cannot be aborted")
	ErrGivenUp    = errors.New("it was given up, and is not archived yet")
	ErrLeftSince  = errors.New("envelopes are at another version again: a late writer, or a restored store")
)

// copiedLines is what people must know before they sign an end over lines that this console
// did not write: another console did, or anyone who can write to the store.
const copiedLines = "lines of this log were not written by this console; read them before you sign (ctrl+o, or " +
	"kekceremony transcript show)"

// ErrDisagreed is returned when a ceremony ran to its end and too few say
// that it went as its steps say.
var ErrDisagreed = transcript.ErrDisagreed

// ErrAnswer is returned for an answer that its question does not take, given by
// a room that has no other.
var ErrAnswer = errors.New("not an answer to the question")

// ErrNothingDue is returned when the store already is what was asked for.
var ErrNothingDue = errors.New("nothing is due")

// ErrInterrupted is returned when the run was stopped from outside. What is in
// the log is safe, and the same command continues.
var ErrInterrupted = errors.New("interrupted")

// StoppedError is ErrInterrupted at a step.
type StoppedError struct{ Step string }

func (e *StoppedError) Error() string { return "step " + e.Step + ": " + ErrInterrupted.Error() }
func (e *StoppedError) Unwrap() error { return ErrInterrupted }

// ErrReach is what an error is after which the keys must be made reachable again: another
// token may be in by the time the step is tried again.
var ErrReach = errors.New("the keys are out of reach")

// Unreached is an error of this text that is also ErrReach.
func Unreached(text string) error { return unreached(text) }

type unreached string

func (e unreached) Error() string        { return string(e) }
func (e unreached) Is(target error) bool { return target == ErrReach }

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

// WaitingError is returned when people are missing.
type WaitingError = signing.WaitingError

// BundleError is any error of a ceremony that has a bundle.
type BundleError struct {
	Dir string
	Err error
}

func (e *BundleError) Error() string { return e.Err.Error() }
func (e *BundleError) Unwrap() error { return e.Err }
