// Command house measures the inside of this program: how long functions and files are, and
// how many references between the files of a package run against the direction of the rest.
// Run it with make house; docs/design.md holds what it prints.
package main

import (
	"fmt"
	"os"
)

func main() {
	all, err := load("./...")
	if err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		os.Exit(1)
	}
	var rooms []room
	for _, p := range all {
		rooms = append(rooms, newRoom(p))
	}
	report(os.Stdout, rooms, ceremonies(all))
}
