package transcript

import (
	"fmt"
	"strings"
)

// StepVoid is the step in which an operator says who gives an install up, and why.
const StepVoid = "void"

// VoidFile is the file of a void bundle that says who gave it up, when and why.
const VoidFile = "void.txt"

// voidEnd is the end of a void bundle's name. No ceremony's bundle is called so.
const voidEnd = "-void"

// VoidName is what a bundle is called once it is void.
func VoidName(bundle string) string { return bundle + voidEnd }

// UnvoidName is what a void bundle was called before; ok: its name is that of one.
func UnvoidName(name string) (bundle string, ok bool) { return strings.CutSuffix(name, voidEnd) }

// Void reports that the log says of itself that it was given up.
func (s State) Void() bool { return s.Outcome == OutcomeVoid }

// Came reports whether anybody has attended at any time.
func (s State) Came() bool { return len(s.came) > 0 }

// VoidNote is VoidFile. It follows from the log alone.
func (s State) VoidNote() []byte {
	opened := s.Opened()
	return lines("kekceremony void v1",
		"chain", opened[FactChain],
		"ceremony", opened[FactCeremony],
		"kind", opened[FactKind],
		"mode", opened[FactMode],
		"events", fmt.Sprint(s.lines),
		"head", s.last.Head(),
		"time", s.last.Time,
		FactOperator, s.Facts[FactOperator],
		FactReason, s.Facts[FactReason],
		"attended", s.Facts[FactAttended],
	)
}
