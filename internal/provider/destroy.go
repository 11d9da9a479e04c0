package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrKept: the provider refuses to destroy a key. Nothing was changed.
var ErrKept = errors.New("the key was not destroyed: its provider refuses")

// Searched is one way in which a provider looked for a key, and how often it found one.
type Searched struct {
	Where string
	Found int
}

// Evidence is what a search found, for transcripts and for people to read.
func Evidence(all []Searched) string {
	var text []string
	for _, s := range all {
		text = append(text, fmt.Sprintf("%s: %d", s.Where, s.Found))
	}
	return strings.Join(text, "; ")
}

// Left reports whether a search found a key anywhere.
func Left(all []Searched) bool {
	return slices.ContainsFunc(all, func(s Searched) bool { return s.Found > 0 })
}
