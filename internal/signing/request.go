// Package signing asks people for signatures, on this console and offline, and checks
// what comes back. What is signed, and what becomes of a signature, is a Paper's.
package signing

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/term"
)

// Room is the people, as far as they sign.
type Room interface {
	// Consent returns one person's word, or ErrLater when nobody here can sign,
	// or ErrEnough when the request has enough and no more people want to sign.
	Consent(context.Context, Request) (Consent, error)
	// Lend gives the terminal away for the time of the call.
	Lend(context.Context, func(*term.Terminal) error) error
}

// Errors a room answers with.
var (
	ErrLater  = errors.New("nobody at this console can sign now")
	ErrEnough = errors.New("enough have signed")
)

// Request asks the room for one more signature.
type Request struct {
	Purpose quorum.Purpose
	Signers []Signer
	Need    int
	Rule    string // why so many must sign
	Plan    []Effect
	Digest  string // of the plan, or of final.txt
	Last    string // the last final digest, which people compare with paper before they attend
	Note    string // why the last word was not taken
	Dir     string // of the statements that are signed offline
}

// Effect is one line of a plan. Estimate is shown, never signed.
type Effect struct{ Verb, Object, Undo, Estimate string }

// Signer is a person of the roster in a request.
type Signer struct {
	Name        string
	Fingerprint string
	Words       []string // any of which the person types to sign: never just Enter
	Signed      bool
	At          string // clock time of the signature, or the verdict
	Asked       bool   // may sign this
	Counts      bool   // towards Need
	Key         string // where the key is that can sign here; empty: not on this console
	Offline     string // the line that signs the statement in Dir, if one was written there
}

// Have counts the signatures that make the quorum.
func (r Request) Have() int {
	n := 0
	for _, s := range r.Signers {
		if s.Signed && s.Counts {
			n++
		}
	}
	return n
}

// Consent is one person's typed word, or the wish to sign offline: then the statement is
// written to a file, and the signature taken when it lies beside it.
type Consent struct {
	Signer, Word string
	Offline      bool
}

// WaitingError is returned when people are missing: each line of Sign makes one
// missing signature, and then the same command continues.
type WaitingError struct {
	Step       string
	Have, Need int
	Sign       []string
}

func (e *WaitingError) Error() string {
	return fmt.Sprintf("step %s: %d of %d have signed", e.Step, e.Have, e.Need)
}
