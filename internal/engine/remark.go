package engine

import "github.com/certautopilot/kekceremony/internal/transcript"

// Remark is what people say at any time, whatever the engine does: a Report or a Comparison.
type Remark interface{ remark() }

func (Report) remark()     {}
func (Comparison) remark() {}

// Comparison is what a person says of a digest that was read aloud.
type Comparison struct {
	Digest, By string
	Matches    bool // the digest is what the person has, on paper or on another machine
}

func (c Comparison) facts() Facts {
	matches := "no"
	if c.Matches {
		matches = "yes"
	}
	return Facts{transcript.FactCompared: c.Digest, transcript.FactBy: c.By, transcript.FactMatches: matches}
}
