package main

import (
	"math/bits"
	"slices"
)

// most is how many files in a circle may be put in the best order by looking at every set of
// them: 2^most sets.
const most = 20

// against returns the references between the files of a room that run against the direction
// of the rest: the fewest that an order of the files, each below those that name it, leaves
// upside down. Files that are in no circle are in order by themselves. For a circle of more
// than most files it returns the fewest that moving one file at a time comes to.
func (r room) against() [][2]int {
	var back [][2]int
	for _, circle := range r.circles() {
		if len(circle) > most {
			back = append(back, r.up(r.settle(circle))...)
		} else {
			back = append(back, r.upsideDown(circle)...)
		}
	}
	return back
}

// settle moves files of an order, bottom first, as long as a move turns a reference down.
func (r room) settle(order []int) []int {
	least := len(r.up(order))
	for better := true; better; {
		better = false
		for i := range order {
			for k := range order {
				moved := slices.Insert(slices.Delete(slices.Clone(order), i, i+1), k, order[i])
				if n := len(r.up(moved)); n < least {
					order, least, better = moved, n, true
				}
			}
		}
	}
	return order
}

// up returns the references that run up in an order of files, bottom first.
func (r room) up(order []int) (back [][2]int) {
	for i, from := range order {
		for _, to := range order[i+1:] {
			if len(r.names[from][to]) > 0 {
				back = append(back, [2]int{from, to})
			}
		}
	}
	return back
}

// upsideDown returns the fewest references that run up in an order of these files.
// cost[set] is the least number of references that run up when just the files of set
// lie at the bottom: the file that is put on top of them next names what is not among them.
func (r room) upsideDown(files []int) [][2]int {
	n := len(files)
	names := make([]uint32, n)
	for i, from := range files {
		for k, to := range files {
			if len(r.names[from][to]) > 0 {
				names[i] |= 1 << k
			}
		}
	}
	cost := make([]uint16, 1<<n)
	last := make([]uint8, 1<<n)
	for set := uint32(1); set < 1<<n; set++ {
		cost[set] = 1<<16 - 1
		for rest := set; rest != 0; rest &= rest - 1 {
			i := bits.TrailingZeros32(rest)
			below := set &^ (1 << i)
			if c := cost[below] + uint16(bits.OnesCount32(names[i]&^set)); c < cost[set] {
				cost[set], last[set] = c, uint8(i)
			}
		}
	}
	var back [][2]int
	for set := uint32(1)<<n - 1; set != 0; set &^= 1 << last[set] {
		for up := names[last[set]] &^ set; up != 0; up &= up - 1 {
			back = append(back, [2]int{files[last[set]], files[bits.TrailingZeros32(up)]})
		}
	}
	return back
}

// circles returns the sets of files that name one another, directly or by others.
func (r room) circles() [][]int {
	reach := make([]map[int]bool, len(r.files))
	for i := range r.files {
		reach[i] = map[int]bool{}
		r.walk(i, reach[i])
	}
	var circles [][]int
	seen := map[int]bool{}
	for i := range r.files {
		if seen[i] || !reach[i][i] {
			continue
		}
		var circle []int
		for k := range r.files {
			if reach[i][k] && reach[k][i] {
				circle, seen[k] = append(circle, k), true
			}
		}
		circles = append(circles, circle)
	}
	return circles
}

func (r room) walk(from int, seen map[int]bool) {
	for to := range r.names[from] {
		if !seen[to] {
			seen[to] = true
			r.walk(to, seen)
		}
	}
}
