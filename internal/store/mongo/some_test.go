//go:build !torture

package mongo_test

// everyFault has each operation meet each fault. Without it, each meets each form, by turns with
// another code.
const everyFault = false
