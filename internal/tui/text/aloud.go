package text

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/pgpwords"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Aloud is a digest in lines to be read aloud: so many bytes as hex, and as words.
func Aloud(digest string, perLine int) (lines [][2]string) {
	bytes, err := hex.DecodeString(digest)
	if err != nil { // no digest, but what is there is shown
		return [][2]string{{digest, ""}}
	}
	at := 0
	for part := range slices.Chunk(bytes, perLine) {
		all := pgpwords.Of(bytes[:at+len(part)])
		hexes := transcript.Groups(hex.EncodeToString(part))
		lines = append(lines, [2]string{hexes, strings.Join(all[at:], " ")})
		at += len(part)
	}
	return lines
}

// ReadAloud says how people compare a digest.
const ReadAloud = "One person reads the words aloud, line by line; the others compare them with their own paper or " +
	"machine. Then each says whether all of it matches."

// Compare says who must compare a digest again, since it does not match for them.
func Compare(names []string) string {
	return strings.Join(names, " and ") + ": compare it again, or stop"
}

// Disputed says what follows when somebody says that a digest does not match.
func Disputed(names []string) string {
	return fmt.Sprintf("%s: it does not match. Nobody signs it here until it was compared again and matches for %[1]s. "+
		"If it never does, stop: somebody may have changed the plan, the store or this console.", strings.Join(names, ", "))
}
