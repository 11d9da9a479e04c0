package history

import (
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Exposed reports whether a ceremony that marked a version as compromised listed what it exposed. One that
// was aborted may have marked it only.
func (h History) Exposed(v kek.Version) bool {
	for _, log := range h.Logs {
		if log.Opened().Version(transcript.FactVersion) == v && log.Facts[transcript.FactExposed] != "" {
			return true
		}
	}
	return false
}
