package signing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// Request asks the room for one more signature.
type Request struct {
	Purpose quorum.Purpose
	Signers []Signer
	Need    int
	Agree   int    // of an end: so many must agree with it; 0: whatever they say
	Rule    string // why so many must sign
	Plan    []Effect
	Text    string   // the whole plan, of which Digest is the SHA-256; empty: no plan is approved
	Digest  string   // of the plan, or of final.txt
	Last    string   // the last final digest, which people compare with paper before they attend
	Warning string   // what people must know before they sign; empty: nothing
	Done    []string // what the ceremony did and how it differed, for those who sign its end
	Earlier []Said   // what was answered in earlier runs of the ceremony, for those who sign its end
	Note    string   // why the last word was not taken
	Dir     string   // of the statements that are signed offline
	// Undecided are people of whom several signed statements lie in Dir. Meanwhile nothing is taken from
	// there, and what is signed does not end: the word of these people would be lost.
	Undecided []Undecided
}

// Undecided is a person who signed several statements of which one counts: the word of each, and the name
// of its file in Dir.
type Undecided struct {
	Name         string
	Words, Files []string
}

// String says whose statements these are, and what people do.
func (u Undecided) String() string {
	return fmt.Sprintf("%s signed %s: none is taken; remove the signature (.sig) that %s does not mean",
		u.Name, strings.Join(u.Files, " and "), u.Name)
}

// Undecides reports whether somebody is undecided.
func (r Request) Undecides(name string) bool {
	return slices.ContainsFunc(r.Undecided, func(u Undecided) bool { return u.Name == name })
}

// Enough reports whether the quorum has signed, and nobody is undecided.
func (r Request) Enough() bool { return r.Have() >= r.Need && len(r.Undecided) == 0 }

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
	Witness     bool   // the roster has them sign other things
	Counts      bool   // towards Need
	Key         string // where the key is that can sign here; empty: not on this console
	Offline     string // the line that signs the statement in Dir, if one was written there
	Script      string // name of the file in Dir that holds this line
}

// SignerOf is a person of the roster where something of a namespace is signed.
func SignerOf(m quorum.Member, namespace string) Signer {
	return Signer{Name: m.Name, Fingerprint: m.Fingerprint(), Witness: !m.May(namespace)}
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
