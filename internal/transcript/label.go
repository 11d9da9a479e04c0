package transcript

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// Label is what people call a fact: its own name where that says enough. The name on the wire stays.
func Label(fact string) string {
	if word, ok := labels[fact]; ok {
		return word
	}
	return strings.ReplaceAll(printable.Line(fact), "_", " ")
}

// Said is what a fact's value says to people, on one line.
func Said(fact, value string) string {
	if len(value) == len(NoDigest) && strings.Trim(value, "0123456789abcdef") == "" {
		return Groups(value)
	}
	switch fact {
	case "key_history":
		if value == "unknown" {
			return "not recorded: this provider does not record where a key was made"
		}
	case "searched", "found_before":
		return found(value)
	case "took", "census_apart", FactWait:
		if d, err := time.ParseDuration(value); err == nil {
			return printable.Span(d)
		}
	}
	return printable.Shown(value)
}

// found is what a search for a key found, each place with how often: provider.Evidence in words.
func found(value string) string {
	var places, words []string
	n := 0
	for entry := range strings.SplitSeq(value, "; ") {
		at := strings.LastIndex(entry, ": ")
		if at < 0 {
			return printable.Shown(value)
		}
		often, err := strconv.Atoi(entry[at+2:])
		if err != nil {
			return printable.Shown(value)
		}
		word := map[int]string{0: "not found", 1: "found once"}[often]
		if word == "" {
			word = fmt.Sprintf("found %d times", often)
		}
		n += often
		places, words = append(places, entry[:at]), append(words, entry[:at]+" ("+word+")")
	}
	if n == 0 {
		return printable.Shown("not found: " + strings.Join(places, "; "))
	}
	return printable.Shown(strings.Join(words, "; "))
}

// Groups parts a digest into groups of four, for people who read it aloud and compare it: on pages, in line
// mode and in documents alike. What is copied, into a file or a command, has no groups.
func Groups(digest string) string {
	var parts []string
	for part := range slices.Chunk([]byte(digest), 4) {
		parts = append(parts, string(part))
	}
	return strings.Join(parts, " ")
}

// labels are words for facts whose names say too little.
var labels = map[string]string{
	"authorised":         "authorized by",
	"people":             "who is who",
	"clock":              "wall clock",
	"clock_out":          "wall clock at the end",
	"bags":               "bags opened",
	"bags_out":           "bags closed",
	"evidence":           "witness or recording",
	FactDiffered:         "deviations reported",
	FactOthers:           "other deviations",
	FactExpect:           "processes expected from here on",
	FactExpectBefore:     "processes expected before",
	FactEnd:              "planned end of use",
	"found_before":       "found before",
	"gone_before":        "the key was gone before",
	"searched":           "searched afterwards",
	"verdicts":           "copies, and what became of them",
	"hosts":              "removed from hosts by",
	"copies":             "copies of the key",
	FactSilent:           "silent processes",
	"fleet":              "processes",
	"fleet_at":           "seen at",
	"writers":            "processes that switched",
	"places":             "places with envelopes",
	"due":                "envelopes to re-wrap",
	"left":               "envelopes left at other versions",
	"poison":             "undecryptable",
	"census_1":           "first count",
	"census_2":           "second count",
	"census_apart":       "time between the counts",
	"fence_strict":       "strict validators",
	"not_there":          "not there, so not fenced",
	"forgotten":          "old heartbeats deleted",
	FactFenced:           "versions that the store refuses to write with",
	"skipped":            "envelopes skipped",
	"passes":             "passes over all envelopes",
	"took":               "time of the re-wrap",
	"workers":            "workers of the re-wrap",
	FactRetired:          "retired versions",
	FactWait:             "waiting period",
	"exposed":            "envelopes exposed",
	"exposed_sha256":     "sha256 of their list",
	"exposed_places":     "places where they are",
	"acknowledged":       "processes that dropped it",
	"not_writing":        "processes that do not write with it",
	FactActive:           "active version",
	FactLocked:           "store locked to",
	FactInterrupted:      "why",
	FactTorn:             "sha256 of a torn line",
	FactAside:            "sha256 of a line that another console overtook",
	FactHalfDone:         "acts begun and not done",
	FactDone:             "acts done",
	FactSHA256:           "digest",
	FactFinal:            "final digest of the ceremony before",
	FactRewraps:          "envelopes re-wrapped",
	"current":            "envelopes already at the version",
	"conflicts":          "envelopes that somebody else changed meanwhile",
	FactExcluded:         "envelopes excluded",
	"scanned":            "envelopes read",
	"key_id":             "id of the key",
	FactLabel:            "label of the key",
	"key_history":        "history of the key",
	"key_variable":       "variable of the key",
	FactTool + "_sha256": "sha256 of the program",
}
