package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// report writes the figures, then what they are made of.
func report(w io.Writer, rooms []room, kinds []ceremony) {
	var funcs, files []int
	most, total := room{}, 0
	for _, r := range rooms {
		for _, f := range r.files {
			files, funcs = append(files, f.lines), append(funcs, f.funcs...)
		}
		if total += r.references(); len(r.against()) > len(most.against()) {
			most = r
		}
	}
	touched := 0
	for _, k := range kinds {
		touched = max(touched, len(k.files))
	}
	fmt.Fprintf(w, "| what | number | lines: median / p90 / longest |\n|---|---|---|\n")
	fmt.Fprintf(w, "| functions | %d | %s |\n", len(funcs), spread(funcs))
	fmt.Fprintf(w, "| files | %d | %s |\n", len(files), spread(files))
	fmt.Fprintf(w, "\nReferences between the files of a package: %d. Against the direction of the rest: "+
		"at most %d in one package (%s).\n", total, len(most.against()), most.name)
	fmt.Fprintf(w, "Files that name one ceremony: at most %d.\n\n", touched)
	for _, r := range rooms {
		for _, b := range r.against() {
			from, to := r.files[b[0]], r.files[b[1]]
			names := strings.Join(r.names[b[0]][b[1]], ", ")
			fmt.Fprintf(w, "against the direction: %s: %s names what is in %s: %s\n", r.name, from.name, to.name, names)
		}
	}
	for _, k := range kinds {
		fmt.Fprintf(w, "files that name %s: %s\n", k.kind, strings.Join(k.files, ", "))
	}
}

func (r room) references() int {
	n := 0
	for _, names := range r.names {
		n += len(names)
	}
	return n
}

// spread prints median, the value that nine in ten keep below, and the longest.
func spread(lines []int) string {
	slices.Sort(lines)
	at := func(share int) int { return lines[(len(lines)-1)*share/100] }
	return fmt.Sprintf("%d / %d / %d", at(50), at(90), at(100))
}
