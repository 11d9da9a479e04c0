//go:build torture

package mongo_test

// everyFault has each operation meet each fault.
const everyFault = true

// events and processes are how many a list has, behind a link that brings so many bytes a second, and breaks in an
// answer of more.
const (
	events    = 100_000
	processes = 10_000
	listRate  = 900 << 10
	fragile   = 1 << 20
)
