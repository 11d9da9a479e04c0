package engine

import (
	"errors"
	"regexp"
	"strings"
)

// CheckText refuses a text that says nothing, and one that may be a PIN: what people
// type freely becomes part of the transcript.
func CheckText(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return errors.New("an answer is needed")
	case onlyDigits.MatchString(strings.Join(strings.Fields(text), "")):
		return errPIN
	}
	return nil
}

// errPIN refuses what may be a PIN that was typed too early.
var errPIN = errors.New("this may be a PIN, and was discarded")

// IsPIN reports whether an error refuses what may be a PIN: then it is to be shown nowhere.
func IsPIN(err error) bool { return errors.Is(err, errPIN) }

var (
	digits     = regexp.MustCompile(`[0-9][0-9 ]{2,}[0-9]`)
	onlyDigits = regexp.MustCompile(`^[0-9]{4,}$`)
)
