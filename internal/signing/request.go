package signing

import (
	"strings"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// Request asks the room for one more signature.
type Request struct {
	Purpose quorum.Purpose
	Signers []Signer
	Need    int
	Rule    string // why so many must sign
	Plan    []Effect
	Digest  string   // of the plan, or of final.txt
	Last    string   // the last final digest, which people compare with paper before they attend
	Warning string   // what people must know before they sign; empty: nothing
	Done    []string // what the ceremony did and how it differed, for those who sign its end
	Earlier []Said   // what was answered in earlier runs of the ceremony, for those who sign its end
	Note    string   // why the last word was not taken
	Dir     string   // of the statements that are signed offline
	// Undecided are people of whom two signed statements lie in Dir: meanwhile nothing is taken from there.
	Undecided []string
}

// Said is an answer, by its question.
type Said struct{ Name, Value string }

// Effect is one line of a plan. Estimate is shown, never signed.
type Effect struct{ Verb, Object, Undo, Estimate string }

// Signer is a person of the roster in a request.
type Signer struct {
	Name        string
	Fingerprint string
	Words       []string // any of which the person types to sign: never just Enter
	Signed      bool
	At          string // clock time of the signature, or the verdict
	Asked       bool   // may sign this
	Counts      bool   // towards Need
	Key         string // where the key is that can sign here; empty: not on this console
	Offline     string // the line that signs the statement in Dir, if one was written there
	Script      string // name of the file in Dir that holds this line
}

// Compared is the digest that people compare before they sign: the last final digest, that of the
// plan, or that of the end; empty: none.
func (r Request) Compared() string {
	if r.Last != "" || r.Purpose == quorum.Attend || r.Purpose == quorum.Join {
		return r.Last
	}
	return r.Digest
}

// Word is what the person is to type.
func (s Signer) Word() string { return oneOf(s.Words) }

// oneOf lists words of which a person types one.
func oneOf(words []string) string { return strings.Join(words, " / ") }

// Have counts the signatures that make the quorum.
func (r Request) Have() int {
	n := 0
	for _, s := range r.Signers {
		if s.Signed && s.Counts {
			n++
		}
	}
	return n
}
