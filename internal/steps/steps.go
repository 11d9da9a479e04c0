// Package steps is the ceremonies, in ceremony_*.go, and their steps, a file for each. Each
// ceremony is a value that the engine runs; nothing here runs one, and nothing here writes
// a line.
package steps

import (
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// The engine's words, as every step uses them.
type (
	Facts    = transcript.Facts
	Site     = engine.Site
	Ceremony = engine.Ceremony
	Step     = engine.Step
	Form     = engine.Form
	Field    = engine.Field
	Gather   = engine.Gather
	Act      = engine.Act
	State    = engine.State
	Effect   = engine.Effect
	Desk     = engine.Desk
	View     = engine.View
	Detail   = engine.Detail
)

// The states of an act.
const (
	NotBegun = engine.NotBegun
	Partly   = engine.Partly
	Done     = engine.Done
)
