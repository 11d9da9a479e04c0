//go:build torture

package mongo_test

// everyFault has each operation meet each fault.
const everyFault = true
