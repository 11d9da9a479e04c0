//go:build !torture

package mongo_test

// everyFault has each operation meet each fault. Without it, each meets each form, by turns with
// another code.
const everyFault = false

// events and processes are how many a list has, behind a link that breaks in an answer of more bytes than that.
const (
	events    = 150
	processes = 150
	listRate  = 0
	fragile   = 8 << 10
)
