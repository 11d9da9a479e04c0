package kek

import (
	"fmt"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// Wraps is how many wraps under one version are counted.
type Wraps int64

// MaxWraps is how many wraps one key is good for: each has a random IV, so that no more than 2^32 keep
// the chance that two are the same below 2^-32 (NIST SP 800-38D, 8.3).
const MaxWraps Wraps = 1 << 32

// Due reports whether half of MaxWraps is counted: it is time for the next version.
func (w Wraps) Due() bool { return w >= MaxWraps/2 }

// Spent reports whether nine tenths of MaxWraps are counted: no ceremony wraps any more under the version.
func (w Wraps) Spent() bool { return w >= MaxWraps/10*9 }

func (w Wraps) String() string {
	return fmt.Sprintf("%s of %s wraps", printable.Count(int(w)), printable.Count(int(MaxWraps)))
}
