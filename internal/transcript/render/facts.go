package render

import (
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

// pairs are facts in words, by name, without some and without those that say nothing.
func pairs(facts transcript.Facts, without ...string) (all []Pair) {
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		if v := facts[name]; v != "" && !slices.Contains(without, name) {
			all = append(all, Pair{label(name), shown(v)})
		}
	}
	return all
}

// shown is a value for people: a digest in groups.
func shown(v string) string {
	if len(v) == 64 && strings.Trim(v, "0123456789abcdef") == "" {
		return groups(v)
	}
	return printable.Shown(v)
}
