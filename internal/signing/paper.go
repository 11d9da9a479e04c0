package signing

import (
	"context"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// Paper is what people sign: attendance, a plan, a proof of a new key, the end.
type Paper interface {
	// File is the name of a person's statement.
	File(name string) string
	// Words are what a person may type; the first is the one of a statement that nobody
	// has typed a word for.
	Words(quorum.Member) []string
	// Statement is what a person signs with a word.
	Statement(m quorum.Member, word string) []byte
	// May reports whether a person may sign this.
	May(quorum.Member) bool
	// Counts reports whether a person's signature makes the quorum.
	Counts(quorum.Member) bool
	// Keep makes a checked signature part of the transcript. The mark, a clock time or a
	// verdict, is shown beside the name.
	Keep(context.Context, quorum.Proof, quorum.Signed) (mark string, err error)
}
