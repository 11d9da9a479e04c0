package history

import (
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Disabling is what a signed log says of how a version was disabled.
type Disabling struct {
	Ceremony int
	Final    string        // digest of its final.txt
	Closed   time.Time     // of its last line, as the console claims it
	Wait     time.Duration // for so long after that the version may not be destroyed, by the plan that M signed
	Epoch    int           // of the pointer when it was opened: a refusal with at least this one came since
}

// Ends is when the version may be destroyed: no row and no later configuration says it.
func (d Disabling) Ends() time.Time { return d.Closed.Add(d.Wait) }

// Disabled is how the last ceremony disabled a version, if that was done, and the version is disabled since. A
// reconciliation ends it: what processes were refused is not in a store that went back.
func (h History) Disabled(v kek.Version) (d Disabling, ok bool) {
	if h.Versions().Made[v].State != store.Disabled {
		return d, false
	}
	for i := len(h.Logs) - 1; i >= 0; i-- {
		log := h.Logs[i]
		if log.Done(transcript.ActTakeOver) {
			return d, false
		}
		if log.Done(transcript.ActDisable) && log.Opened().Version(transcript.FactVersion) == v {
			d, ok = disablingOf(log)
			d.Ceremony, d.Final = i+1, h.finalOf(i)
			return d, ok
		}
	}
	return d, false
}

// finalOf is the final digest of a ceremony, which the next one follows.
func (h History) finalOf(i int) string {
	if i+1 < len(h.Logs) {
		return h.Logs[i+1].Follows()
	}
	return h.Final
}

func disablingOf(log transcript.State) (d Disabling, ok bool) {
	d.Closed, d.Epoch = log.Last().Clock(), log.Opened().Number(transcript.FactEpoch)
	d.Wait, ok = log.Wait()
	return d, ok
}
