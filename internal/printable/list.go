package printable

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Limits of what is said of a list: anyone who can write to the store can write as many rows
// as he likes.
const (
	most  = 20 // that are listed one by one
	first = 10 // of a longer list
	few   = 5  // in a sentence
)

// List is printable names, as screens and transcripts list them.
type List []string

// Text is all names; of many, the first ones, the number of the others, and the SHA-256 of
// Lines.
func (l List) Text() string {
	if !l.Cut() {
		return strings.Join(l, ", ")
	}
	sum := sha256.Sum256(l.Lines())
	return fmt.Sprintf("%s and %d more, sha256 of the list %s", strings.Join(l[:first], ", "), len(l)-first,
		hex.EncodeToString(sum[:]))
}

// Cut reports whether Text leaves out names.
func (l List) Cut() bool { return len(l) > most }

// Lines is every name with a line feed.
func (l List) Lines() []byte { return []byte(strings.Join(l, "\n") + "\n") }

// Brief is for a sentence on the screen.
func (l List) Brief() string {
	if len(l) <= few {
		return strings.Join(l, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(l[:few], ", "), len(l)-few)
}
