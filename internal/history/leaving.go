package history

import (
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// leaving takes what a ceremony did to one version on its way out, and reports whether it is one of
// those ceremonies. A destruction that was begun is never undone, however its ceremony ended.
func (v *Versions) leaving(log transcript.State) bool {
	version := log.Opened().Version(transcript.FactVersion)
	if version == 0 {
		return false
	}
	switch {
	case log.Done(transcript.ActDisable):
		v.move(version, store.Disabled)
	case log.Done(transcript.ActEnable):
		v.move(version, v.Before(version))
	case log.Done(transcript.ActDestroy) && log.Facts[transcript.FactCopies] == "":
		v.move(version, store.Destroyed)
	case log.Begun(transcript.ActDestroy) && !log.Kept():
		v.move(version, store.Destroying)
	case log.Done(transcript.ActCompromise) && log.Opened()[transcript.FactStays] != "":
		if v.Made[version].State == store.Disabled {
			v.before[version] = store.Compromised
		}
	case log.Done(transcript.ActCompromise):
		v.move(version, store.Compromised)
	}
	if log.Aborted() && len(log.HalfDone()) > 0 && !log.Kept() {
		v.Unsure[version] = true
	}
	return true
}

func (v *Versions) move(version kek.Version, to store.State) {
	v.state(version, to)
	delete(v.Unsure, version)
}

// Before is the state that a disabled version had before it was disabled, to which enable returns it. Of any
// other it is its state.
func (v Versions) Before(version kek.Version) store.State {
	if is := v.Made[version].State; is != store.Disabled {
		return is
	}
	return v.before[version]
}
