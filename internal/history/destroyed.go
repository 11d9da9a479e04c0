package history

import (
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Destruction is what signed logs say of the destruction of a version.
type Destruction struct {
	Copies  string // of the key, that are not known to be destroyed; empty: none is known
	Removed bool   // the key was configuration, and people removed it
}

// Destroyed is how the last ceremony left the destruction of a version, if one was begun. A destruction that the
// provider refused, or that people ended while the key was whole, is none.
func (h History) Destroyed(v kek.Version) (d Destruction, ok bool) {
	if state := h.Versions().Made[v].State; state != store.Destroying && state != store.Destroyed {
		return d, false
	}
	for _, log := range slices.Backward(h.Logs) {
		opened := log.Opened()
		if log.Begun(transcript.ActDestroy) && !log.Kept() && opened.Version(transcript.FactVersion) == v {
			return Destruction{log.Facts[transcript.FactCopies], opened[transcript.FactOnToken] == "no"}, true
		}
	}
	return d, false
}
