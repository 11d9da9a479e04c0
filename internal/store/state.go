package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// State is where a version of the KEK stands. Active is not a state: it follows from the pointer.
type State string

// The states of a version, in the order in which it passes through them, with what SP 800-57
// part 1 section 7 calls each.
const (
	Live        State = "live"        // may be written and read; pre-activation until its first use, then active
	Retired     State = "retired"     // may be read; deactivated: active for processing only
	Compromised State = "compromised" // may be read, is never written again; compromised
	Disabled    State = "disabled"    // may not be read until it is enabled again; suspended
	Destroying  State = "destroying"  // a destruction was begun: it may only be completed; destroyed in part
	Destroyed   State = "destroyed"   // no copy is left; destroyed
)

// Readable reports whether a process may read with a version in this state. It may not in a state that
// this program does not know.
func (s State) Readable() bool { return s == Live || s == Retired || s == Compromised }

// moves are those that a version's state may make.
var moves = map[State][]State{
	Live:        {Retired, Compromised},
	Retired:     {Live, Compromised, Disabled}, // live: rotate back
	Compromised: {Disabled},
	Disabled:    {Retired, Compromised, Destroying}, // the first two: enable, to what it was before
	Destroying:  {Destroyed, Disabled},              // disabled: the provider refused, and destroyed nothing
}

// ErrMove: no ceremony moves a version like this.
var ErrMove = errors.New("no ceremony does that")

// CheckMove refuses a move that no ceremony makes.
func CheckMove(v kek.Version, from, to State) error {
	if slices.Contains(moves[from], to) {
		return nil
	}
	return fmt.Errorf("move version %d from %s to %s: %w", v, printable.Text(string(from)), to, ErrMove)
}

// SP80057 is what SP 800-57 calls a version's state: active is the version that writers use, and used
// one that was written with.
func (s State) SP80057(active, used bool) string {
	switch {
	case s == Live && !active && !used:
		return "pre-activation"
	case s == Live:
		return "active"
	}
	return map[State]string{Retired: "deactivated", Compromised: "compromised", Disabled: "suspended",
		Destroying: "destroyed in part", Destroyed: "destroyed"}[s]
}

// Doomed reports whether the destruction of a version's key was begun, which is never undone.
func (s State) Doomed() bool { return s == Destroying || s == Destroyed }
