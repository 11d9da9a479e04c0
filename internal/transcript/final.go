package transcript

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// Verdict is what a person says of the whole ceremony at its end.
type Verdict string

// The verdicts.
const (
	Followed   Verdict = "followed"
	Deviations Verdict = "deviations"
	Disagree   Verdict = "disagree"
)

// Verdicts are the words a person may type at the end.
var Verdicts = []Verdict{Followed, Deviations, Disagree}

// Final is what a person signs at the end: a verdict, and beside any but followed what deviated,
// or why the person disagrees, as WordsOf writes it. Older programs asked nobody for these words,
// so a final may be without them.
type Final struct {
	Verdict Verdict
	Words   string
}

// Shown is what a person says, as people read it.
func (f Final) Shown() string {
	if f.Words == "" {
		return string(f.Verdict)
	}
	return string(f.Verdict) + ": " + printable.Shown(f.Words)
}

// CoreFile is the name of the common core in the bundle.
const CoreFile = "final.txt"

// FinalFile is the name of a person's final statement.
func FinalFile(name string) string { return "final." + name + ".txt" }

// FinalStatement is what m signs at the end.
func FinalStatement(core []byte, m quorum.Member, f Final) []byte {
	pairs := []string{"final", Digest(core), "signer", m.Name, "key", m.Fingerprint(), "verdict", string(f.Verdict)}
	if f.Words != "" {
		pairs = append(pairs, "words", f.Words)
	}
	return append(bytes.Clone(core), lines("", pairs...)[1:]...)
}

// FinalOf reads what a person's final says.
func FinalOf(core []byte, m quorum.Member, statement []byte) (Final, error) {
	for _, v := range Verdicts {
		f := Final{Verdict: v}
		bare := FinalStatement(core, m, f)
		rest, ok := bytes.CutPrefix(statement, bare)
		if !ok {
			continue
		}
		words, _ := strings.CutPrefix(string(rest), "words: ")
		f.Words = strings.TrimSuffix(words, "\n")
		if !bytes.Equal(statement, FinalStatement(core, m, f)) ||
			f.Words != "" && (v == Followed || !isWords(f.Words)) {
			break
		}
		return f, nil
	}
	return Final{}, fmt.Errorf("%s: not the final of %s over this %s", FinalFile(m.Name), m.Name, CoreFile)
}

// WordsOf is what somebody typed as the words of a final. It is refused, not cut, where it is
// longer than printable.Limit.
func WordsOf(typed string) (string, error) {
	typed = strings.TrimSpace(typed)
	if n := utf8.RuneCountInString(typed); n > printable.Limit {
		return "", fmt.Errorf("want at most %d characters, these are %d", printable.Limit, n)
	}
	words := printable.Text(typed)
	if !isWords(words) {
		return "", errors.New("an answer is needed")
	}
	return words, nil
}

// isWords reports whether a text is what WordsOf may return. A character that is written as an
// escape counts as one.
func isWords(s string) bool {
	return wordsForm.MatchString(s) && s == strings.Trim(s, " ") && len(character.FindAllString(s, -1)) <= printable.Limit
}

var (
	wordsForm = regexp.MustCompile(`^(?:` + character.String() + `)+$`)
	character = regexp.MustCompile(`\\u\{[0-9a-f]{1,6}\}|\\x\{[0-9a-f]{2}\}|[ -\[\]-~]`)
)
