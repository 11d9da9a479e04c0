package render

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// factsOf are the facts of a line in words. A line of the probe is one.
func factsOf(e transcript.Event) []Pair {
	if line := e.Facts["line"]; line != "" && e.Kind == transcript.Noted {
		return []Pair{{printable.Shown(line), printable.Shown(e.Facts["outcome"] + ": " + e.Facts["detail"])}}
	}
	return pairs(e.Facts)
}

// pairs are facts in words, in people's order, without some and without those that say nothing.
func pairs(facts transcript.Facts, without ...string) (all []Pair) {
	names := slices.SortedFunc(maps.Keys(facts), func(a, b string) int {
		return cmp.Or(orderOf(a)-orderOf(b), strings.Compare(a, b))
	})
	for _, name := range names {
		if v := facts[name]; v != "" && !slices.Contains(without, name) {
			all = append(all, Pair{transcript.Label(name), value(name, v)})
		}
	}
	return all
}

// ordered are the facts whose order people know: that of the questions, or of the work. All others stand
// below them, by name.
var ordered = []string{"place", "authorised", "people", "clock", "bags", "evidence", "bags_out", "clock_out",
	transcript.FactDiffered, transcript.FactOthers, transcript.FactLabel, "key_id", "due", "places", "scanned",
	transcript.FactRewraps, "current", "conflicts", "poison", transcript.FactExcluded, "skipped", "left", "passes",
	"took"}

// orderOf is where a fact stands in the order.
func orderOf(fact string) int {
	if i := slices.Index(ordered, fact); i >= 0 {
		return i
	}
	return len(ordered)
}

// counts are the facts that are numbers of envelopes.
var counts = []string{"due", "scanned", transcript.FactRewraps, "current", "conflicts", "poison",
	transcript.FactExcluded, "skipped", "left", "exposed"}

// value is a fact's value for people: a digest in groups, a number with its thousands apart, a time in words.
func value(fact, v string) string {
	if slices.Contains(counts, fact) {
		return printable.Shown(printable.Counted(v))
	}
	return transcript.Said(fact, v)
}
