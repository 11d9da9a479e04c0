package history

import (
	"strings"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Exposure is what one ceremony listed of what a compromised version exposed.
type Exposure struct {
	Version  kek.Version
	Ceremony int
	N        int      // envelopes
	Sums     []string // SHA-256 of each file of the list, hex
	Places   []string // in which they were, as exposure names them; empty in a log of a program that did not say
}

// Exposures are the lists, in order. A ceremony that was aborted may have one.
func (h History) Exposures() (all []Exposure) {
	for _, log := range h.Logs {
		versions, of := log.Opened().Compromised(), func(v kek.Version) kek.Version { return v }
		if log.Opened()[transcript.FactKind] == transcript.KindCompromise {
			versions = []kek.Version{log.Opened().Version(transcript.FactVersion)}
			of = func(kek.Version) kek.Version { return 0 }
		}
		for _, v := range versions {
			n, sums, places := transcript.FactsExposed(of(v))
			if log.Facts[sums] != "" {
				all = append(all, Exposure{v, log.Facts.Number(transcript.FactCeremony), log.Facts.Number(n),
					strings.Fields(log.Facts[sums]), strings.Fields(log.Facts[places])})
			}
		}
	}
	return all
}

// Exposed are the lists of one version. One that a ceremony marked as compromised has none if the ceremony was
// aborted before it.
func (h History) Exposed(v kek.Version) (all []Exposure) {
	for _, e := range h.Exposures() {
		if e.Version == v {
			all = append(all, e)
		}
	}
	return all
}

// Since are a version, and those at which its envelopes may be since: what was active at any time after it was
// made, as far as a ceremony knows. Of adopted versions nobody knows in which order they were used.
func (h History) Since(v kek.Version) map[kek.Version]bool {
	all := map[kek.Version]bool{v: true}
	made := false
	for _, log := range h.Logs {
		_, makes := log.Facts.Canary(v)
		if made = made || makes; !made {
			continue
		}
		if adopted := log.Facts.Adopted(); adopted[v] != "" {
			for other := range adopted {
				all[other] = true
			}
		}
		// An act that was found done, as after somebody moved the pointer, was never begun.
		if log.Begun(transcript.ActSwitch) || log.Done(transcript.ActSwitch) {
			all[log.Facts.Version(transcript.FactTo)] = true
		}
		if log.Done(transcript.ActTakeOver) {
			for _, s := range standings(log) {
				if s.active {
					all[s.version] = true
				}
			}
		}
	}
	return all
}

// Idle are those of the versions at which a version's envelopes may be that nothing is written with: the version
// itself, if it is compromised, and what is not live. What is there came late, or from a backup.
func (h History) Idle(v kek.Version) map[kek.Version]bool {
	made, all := h.Versions().Made, h.Since(v)
	for other := range all {
		if other != v && made[other].State == store.Live {
			delete(all, other)
		}
	}
	return all
}
