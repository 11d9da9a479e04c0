package signing

import (
	"context"
	"errors"

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

// Consent is one person's typed word, or the wish to sign offline: then the statement is
// written to a file, and the signature taken when it lies beside it.
type Consent struct {
	Signer, Word string
	Offline      bool
}
