package signing

import (
	"context"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// Paper is what people sign: attendance, a plan, a proof of a new key, the end.
type Paper interface {
	// File is the name of a person's statement.
	File(name string) string
	// Words are what a person may type; the first is the one with which a rehearsal signs by itself.
	Words(quorum.Member) []string
	// Statement is what a person signs with a word. It may ask the person for more, and is nil where
	// the person went back.
	Statement(ctx context.Context, m quorum.Member, word string) ([]byte, error)
	// Lies is the name of the file in which a person's statement with a word lies for signing offline;
	// without a word, in which one may lie that an older program wrote.
	Lies(name, word string) string
	// Laid is the statement with a word that is written for a person whom nobody can ask, over what lies
	// there; nil: with this word none is.
	Laid(m quorum.Member, word string, lying []byte) []byte
	// Brought are the texts over which a person's signature may be that lies beside Lies; lying is what
	// lies there.
	Brought(m quorum.Member, word string, lying []byte) [][]byte
	// May reports whether a person may sign this.
	May(quorum.Member) bool
	// Counts reports whether a person's signature makes the quorum.
	Counts(quorum.Member) bool
	// Keep makes a checked signature part of the transcript. The mark, a clock time or a
	// verdict, is shown beside the name.
	Keep(context.Context, quorum.Proof, quorum.Signed) (mark string, err error)
}
