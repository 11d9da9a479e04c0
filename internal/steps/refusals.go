package steps

import "strings"

// Refusals are all that stands in the way of an act, in the order in which it was found. People who meet for a ceremony
// can see to all of it before they meet again.
type Refusals []error

func (r Refusals) Error() string {
	all := make([]string, len(r))
	for i, err := range r {
		all[i] = undecided(err).Error()
	}
	return strings.Join(all, "; ")
}

// Unwrap is for package errors.
func (r Refusals) Unwrap() []error { return r }
