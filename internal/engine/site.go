package engine

import (
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Site is where a ceremony runs: its parts, and what this run knows. The engine keeps it;
// of a step's own is only the provider that it opens.
type Site struct {
	Parts
	Chain      kek.Chain
	Seq        int
	Bound      kek.Version // that this ceremony makes as one that is bound; 0: none
	Bundle     string      // path of this ceremony's
	History    history.History
	Roster     quorum.Roster
	Next       quorum.Roster // that a roster ceremony puts in its place
	Deviations []Facts       // that were decided in this ceremony
	Recorded   []Facts       // all that the log has, no matter who decided on them

	Provider provider.Provider
	Reached  map[string]string // what the provider said of itself when it was probed last in this run
}

// Name of a version's key in this chain.
func (s *Site) Name(v kek.Version) kek.Name {
	n := s.History.Versions().Name(s.Chain, v)
	n.Bound = n.Bound || v != 0 && v == s.Bound
	return n
}

// opened takes what a ceremony was opened with.
func (s *Site) opened(facts Facts) {
	s.Chain = kek.Chain(facts[transcript.FactChain])
	if facts[transcript.FactBound] == "yes" {
		s.Bound = facts.Version(transcript.FactTo)
	}
}
