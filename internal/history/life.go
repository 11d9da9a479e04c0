package history

import (
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Life is how long a version is to be used, as the ceremony that made it recorded it. Zero times are of
// what nobody recorded.
type Life struct {
	Made time.Time // when that ceremony began; of an adopted version, the adoption
	End  time.Time // planned end of use
}

// Life is that of a version.
func (h History) Life(v kek.Version) Life {
	for _, log := range h.Logs {
		_, made := log.Facts.Canary(v)
		_, adopted := log.Facts.Adopted()[v]
		if made && adopted && log.Facts.Version(transcript.FactActive) != v { // people gave the end of the active one
			return Life{Made: log.Began()}
		}
		if made && (adopted || log.Facts.Version(transcript.FactTo) == v) {
			return Life{Made: log.Began(), End: log.Facts.PlannedEnd()}
		}
	}
	return Life{}
}

// Reconciled reports whether the store went back to an older copy at any time, and M took that over.
func (h History) Reconciled() bool {
	return slices.ContainsFunc(h.Logs, func(log transcript.State) bool {
		return log.Facts[transcript.FactKind] == transcript.KindReconcile
	})
}
