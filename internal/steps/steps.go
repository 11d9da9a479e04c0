// Package steps is the ceremonies: a file for each, and the steps that they share. Each is
// a value that the engine runs; nothing here runs one, and nothing here writes a line.
package steps

import (
	"slices"

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

// All are the ceremonies, each without what a command names. A new one is its file, the
// files of its steps, and a line here.
func All() []Ceremony {
	return []Ceremony{Install(), Rotate(Rotation{}), Generate(0), ChangeRoster()}
}

// Named is a ceremony by its kind, as All lists it.
func Named(kind string) (Ceremony, bool) {
	all := All()
	i := slices.IndexFunc(all, func(c Ceremony) bool { return c.Kind == kind })
	if i < 0 {
		return Ceremony{}, false
	}
	return all[i], true
}

// Resume is the command that continues a ceremony, by its first line; empty: none.
func Resume(opened Facts) string {
	c, ok := Named(opened[transcript.FactKind])
	if !ok {
		return ""
	}
	return c.Command(opened)
}
