package tui

import "strings"

// key is a key that works on a page: in a word for the line of keys, and as the help says it.
type key struct{ name, does, help string }

// short is the key as the line of keys shows it, ^e for ctrl+e.
func (k key) short() string { return strings.ReplaceAll(k.name, "ctrl+", "^") + " " + k.does }
