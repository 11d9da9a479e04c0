// Package nearest finds the name that somebody meant who typed another.
package nearest

import "strings"

// farthest is how many letters may differ.
const farthest = 2

// To is the known name that is most like what was typed, whatever the case, or else the one whose beginning is;
// empty: none is like it.
func To(typed string, known []string) (best string) {
	typed = strings.ToLower(typed)
	best = closest(typed, known, min(farthest, len(typed)-1), func(name string) string { return name })
	if best == "" && len(typed) > 1 {
		best = closest(typed, known, min(farthest, len(typed)/3), func(name string) string {
			return name[:min(len(name), len(typed))]
		})
	}
	return best
}

// Question asks whether a name was meant, at the end of an error; empty for none.
func Question(name string) string {
	if name == "" {
		return ""
	}
	return "; did you mean " + name + "?"
}

// closest is the first name of which a part differs in the fewest letters, at most so many.
func closest(typed string, known []string, most int, part func(string) string) (best string) {
	least := most + 1
	for _, name := range known {
		like := strings.ToLower(part(name))
		if n := distance(typed, like); n < min(least, len(like)) { // not where every letter of a short name differs
			best, least = name, n
		}
	}
	return best
}

// distance is how many letters must be put in, taken out or changed to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(row[j]+1, row[j+1]+1, change)
		}
	}
	return row[len(b)]
}
