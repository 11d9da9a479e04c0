package transcript

import (
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// KeyPlace is where a provider has its keys, from what it says of itself: "token SERIAL", or "host HOST file FILE".
// It holds no mark that parts the entries or the words of a list of copies.
func KeyPlace(about map[string]string) string {
	place := "provider " + about[FactProvider]
	switch {
	case about["serial"] != "":
		place = "token " + about["serial"]
	case about["secrets_file"] != "":
		place = "host " + about["host"] + " file " + about["secrets_file"]
	}
	return printable.Text(strings.NewReplacer(";", "_", ",", "_", ":", "_").Replace(place))
}

// attempted adds to the facts where a key was about to be destroyed. The line itself does not say it: the last probe
// before it does, which each run has.
func (s *State) attempted() {
	place := KeyPlace(s.Facts)
	if all := s.Attempts(); !slices.Contains(all, place) {
		s.Facts[FactAttempts] = strings.Join(append(all, place), "; ")
	}
}

// mayStillDestroy refuses to destroy a key once M have approved that it is kept.
func (s *State) mayStillDestroy(e Event) error {
	if e.Step == ActDestroy && s.keeping {
		return broken(RuleOrder, "a key is destroyed after %d approved that it is kept", s.Roster.M)
	}
	return nil
}

// Attempts are the places at which a key was about to be destroyed, in order.
func (s State) Attempts() []string { return s.Facts.Attempts() }

// Attempts are those of the log that the facts are of.
func (f Facts) Attempts() []string {
	if f[FactAttempts] == "" {
		return nil
	}
	return strings.Split(f[FactAttempts], "; ")
}
