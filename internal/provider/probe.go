package provider

import (
	"context"
	"fmt"
	"strings"
)

// Outcome of one line of a probe.
type Outcome string

// The outcomes.
const (
	Trying Outcome = "trying"
	Passed Outcome = "ok"
	Failed Outcome = "failed"
)

// Verdict is one line of a probe.
type Verdict struct {
	Line    string  `json:"line"` // mechanism, key, round trip, tamper, IV, size query, throughput
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail"` // printable
}

// NotNeeded begins the detail of a line that passed with nothing tested.
const NotNeeded = "not needed: "

// Needless reports whether a line passed with nothing tested.
func (v Verdict) Needless() bool {
	return v.Outcome == Passed && strings.HasPrefix(v.Detail, NotNeeded)
}

// ProbeError is a failed line.
type ProbeError struct {
	Verdict
	Cause error
}

func (e *ProbeError) Error() string { return fmt.Sprintf("probe: %s: %s", e.Line, e.Detail) }

// Unwrap returns what the check itself returned.
func (e *ProbeError) Unwrap() error { return e.Cause }

// Check is one line of a probe: what to try, and what to say when it went well.
type Check struct {
	Line string
	Try  func() (detail string, err error)
}

// RunChecks tries each check in order, reports it, and stops at the first
// failure, and between two when ctx ends.
func RunChecks(ctx context.Context, checks []Check, report func(Verdict)) error {
	for _, c := range checks {
		if err := ctx.Err(); err != nil {
			return err
		}
		report(Verdict{c.Line, Trying, ""})
		detail, err := c.Try()
		if err != nil {
			v := Verdict{c.Line, Failed, err.Error()}
			report(v)
			return &ProbeError{v, err}
		}
		report(Verdict{c.Line, Passed, detail})
	}
	return nil
}
