package steps

import (
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Names of facts that more than one step uses.
const (
	factFrom      = "from"     // version that writers use when a rotation opens
	factTo        = "to"       // version that is made, or rotated to
	factActive    = "active"   // version that writers use
	factGenerate  = "generate" // yes: this ceremony makes the version it rotates to
	factRoster    = transcript.FactRoster
	factRosterSum = transcript.FactRoster + "_sha256"
	factAttended  = transcript.FactAttended
	factExcluded  = transcript.FactExclude
	factSilent    = "silent" // processes that ended without a word
)

func factCanary(v kek.Version) string { return fmt.Sprintf("canary_%d_sha256", v) }

// excluded are the envelopes that people agreed to leave.
func excluded(f Facts) []string {
	if f[factExcluded] == "" {
		return nil
	}
	return strings.Split(f[factExcluded], "\n")
}

// version reads a fact that an earlier event of this log holds.
func version(f Facts, name string) kek.Version {
	v, err := kek.ParseVersion(f[name])
	if err != nil {
		return 0
	}
	return v
}
