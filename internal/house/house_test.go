package main

import "testing"

// TestDirection holds that what one package has inside is read from one end to the other: a
// file names those below it. A few references may run up; more, and the package is a knot.
func TestDirection(t *testing.T) {
	const allowed = 5
	all, err := load("../../...")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		r := newRoom(p)
		back := r.against()
		if len(back) <= allowed {
			continue
		}
		t.Errorf("%s: %d references run against the direction of the rest, more than %d", r.name, len(back), allowed)
		for _, b := range back {
			t.Logf("%s names %v of %s", r.files[b[0]].name, r.names[b[0]][b[1]], r.files[b[1]].name)
		}
	}
}

// TestAgainst: the fewest references that must run up, in rooms where they can be counted.
func TestAgainst(t *testing.T) {
	for _, c := range []struct {
		name  string
		files int
		names [][2]int // which file names which
		want  int
	}{
		{"a line", 3, [][2]int{{0, 1}, {1, 2}, {0, 2}}, 0},
		{"two that name each other", 2, [][2]int{{0, 1}, {1, 0}}, 1},
		{"a ring of three", 3, [][2]int{{0, 1}, {1, 2}, {2, 0}}, 1},
		{"one that all name, and that names all", 4, [][2]int{{0, 1}, {0, 2}, {0, 3}, {1, 0}, {2, 0}, {3, 0}}, 3},
		{"two rings apart", 4, [][2]int{{0, 1}, {1, 0}, {2, 3}, {3, 2}}, 2},
	} {
		r := room{files: make([]file, c.files), names: make([]map[int][]string, c.files)}
		for i := range r.names {
			r.names[i] = map[int][]string{}
		}
		for _, n := range c.names {
			r.names[n[0]][n[1]] = []string{"something"}
		}
		if got := len(r.against()); got != c.want {
			t.Errorf("%s: %d references run up, want %d", c.name, got, c.want)
		}
		all := make([]int, c.files)
		for i := range all {
			all[i] = i
		}
		if got := len(r.up(r.settle(all))); got != c.want {
			t.Errorf("%s: %d references run up after moves, want %d", c.name, got, c.want)
		}
	}
}
