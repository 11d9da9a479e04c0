package provider

import (
	"bytes"
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/secret"
)

// MaxPIN bounds a PIN in bytes (PKCS#11 tokens allow up to 255).
const MaxPIN = 255

// PINLogin is a Provider whose keys are behind a PIN.
type PINLogin interface {
	// Tries says whether a PIN is to be entered, and what the token reports of it. It
	// forgets what was entered before, and returns ErrPINLocked.
	Tries(context.Context) (Tries, error)
	// Enter has a PIN read, and keeps it for Login alone. Entered twice, it is the
	// first half and the second.
	Enter(context.Context, Source) error
	// Login makes keys reachable, with what was entered, which is wiped whatever
	// comes of it. It makes one attempt, and none where it is the token's final one
	// and that was not allowed: ErrFinalTry. ErrUntried says that no PIN was compared.
	Login(ctx context.Context, final bool) error
}

// Compared is a PINLogin that tells whether its last Login had the token compare the PIN. It did not where
// somebody was logged in already.
type Compared interface {
	Compared() bool
}

// Joined is a PINLogin that re-wraps in several processes. Join starts the others after a Login, each of which
// logs in with the PIN that the token took just now. It returns ErrPINRefused or ErrPINLocked if it is refused
// all the same, and ErrSplit.
type Joined interface {
	Join(context.Context) error
}

// Tries is what a token says of its PIN before anybody is asked for it.
type Tries struct {
	In      bool   // somebody is logged in already; the rest is not known
	Ask     bool   // a PIN is to be entered; false also where the token has a keypad
	Token   string // label, printable
	Serial  string // printable
	Warning string // what the token reports of its try counter; empty: nothing
	Final   bool   // the next wrong one locks it
}

// Source is where a PIN is read. The process that has the provider reads it: it
// knows a File, and the terminal's prompt (term.Prompt).
type Source interface {
	// Read returns the PIN. The caller wipes it.
	Read(context.Context) (*secret.Buffer, error)
}

// File is the path of a file of mode 0600 whose first line is a PIN.
type File string

// Read implements Source.
func (f File) Read(context.Context) (*secret.Buffer, error) {
	b, err := secret.ReadFile(string(f), MaxPIN+1)
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(b.Bytes(), []byte("\n"))
	b.SetLen(len(bytes.TrimSuffix(line, []byte("\r"))))
	return b, nil
}

// Entered is the PIN between Enter and Login, in locked memory.
type Entered struct{ pin *secret.Buffer }

// Add reads a PIN, or its second half. When that fails nothing is kept.
func (e *Entered) Add(ctx context.Context, from Source) error {
	part, err := from.Read(ctx)
	if err != nil {
		e.Wipe()
		return err
	}
	defer part.Wipe()
	return e.Take(part)
}

// Take adds what was read. The caller wipes it.
func (e *Entered) Take(part *secret.Buffer) (err error) {
	if e.pin == nil {
		if e.pin, err = secret.New(MaxPIN); err != nil {
			return err
		}
	}
	at := e.pin.Len()
	if at+part.Len() > MaxPIN {
		e.Wipe()
		return fmt.Errorf("longer than %d bytes: %w", MaxPIN, ErrPINRefused)
	}
	e.pin.SetLen(at + copy(e.pin.Room()[at:], part.Bytes()))
	return nil
}

// Bytes is what was entered, until Wipe.
func (e *Entered) Bytes() []byte {
	if e.pin == nil {
		return nil
	}
	return e.pin.Bytes()
}

// Wipe forgets it.
func (e *Entered) Wipe() {
	e.pin.Wipe()
	e.pin = nil
}
