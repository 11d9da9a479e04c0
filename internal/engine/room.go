package engine

import (
	"context"
	"errors"

	"github.com/certautopilot/kekceremony/internal/signing"
)

// Room is the people. It is called from the engine's goroutine only, and every
// call but Show and Remarks ends with its context.
type Room interface {
	// Expect says what a new ceremony will ask, before anything of it is
	// written. A room that cannot answer returns *MissingAnswers.
	Expect(kind string, fields []Field) error
	// Given is what a file of answers says to a question; empty: people type it.
	Given(question string) string
	// Alone reports that nobody is there who could sign.
	Alone() bool
	// Ask returns the answer to a question, or ErrBack with what was typed so far. A room that has no other
	// answer after a refusal returns ErrAnswer.
	Ask(context.Context, Question) (string, error)
	// Room of signing: Lend returns ErrNobody where there is no terminal.
	signing.Room
	// Choose says what becomes of a failed step.
	Choose(context.Context, Failure) (Choice, error)
	// Hold keeps the page until somebody has read it.
	Hold(context.Context) error
	// Remarks names what takes a remark of the people: it is called from within the room's other
	// calls, and an error of it is theirs to read.
	Remarks(take func(Remark) error)
	// Show never blocks on people; the newest view wins.
	Show(View)
}

// Errors a room answers with.
var (
	ErrBack   = errors.New("back to the previous question")
	ErrLater  = signing.ErrLater
	ErrEnough = signing.ErrEnough
	ErrNobody = errors.New("no people are at this console")
)

// What a room is asked to sign.
type (
	Request   = signing.Request
	Signer    = signing.Signer
	Undecided = signing.Undecided
	Consent   = signing.Consent
)

// Question is one field that the room is asked.
type Question struct {
	Field   Field
	Value   string // to begin with: the proposal, or after a refusal what was typed
	Refused error  // why the last answer was not taken; nil at first
	First   bool   // no question comes before it that people can go back to
}

// Failure is a step that did not work. Nothing was lost; it may be tried again. With
// a Deviation people may also continue.
type Failure struct {
	Step      string
	Err       error
	Deviation *DeviationError
	PIN       bool   // a PIN was refused
	Lost      bool   // the token or its module: PIN and probe come first when it is tried again
	Changed   bool   // since the log began; nothing is written of it yet, and the ceremony can be given up
	Hint      string // what to do about it; empty: nobody knows
	Refused   error  // why the last reason to continue was not taken; nil at first
}

// Choice is what people want after a failure: to try again, to continue with a deviation
// for a reason, or, the zero Choice, to stop.
type Choice struct {
	Retry   bool
	Decided string
}
