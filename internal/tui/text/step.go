package text

import "github.com/certautopilot/kekceremony/internal/engine"

// Step is where a step of the ceremony stands.
type Step int

// Where steps stand.
const (
	StepToCome Step = iota
	StepNow
	StepDone // in this run or an earlier one
)

// StepOf is where one of the steps stands, by its index.
func StepOf(v engine.View, i int) Step {
	switch n := i + 1; {
	case n < v.N || v.Ending != nil || v.Steps[i].Earlier && n > v.N:
		return StepDone
	case n == v.N:
		return StepNow
	}
	return StepToCome
}

// Planned is how many minutes all steps are planned to take.
func Planned(v engine.View) (minutes int) {
	for _, s := range v.Steps {
		minutes += s.Minutes
	}
	return minutes
}

// Clock is a time of the log without its seconds, as 14:05.
func Clock(at string) string { return at[:min(len(at), len("14:05"))] }
