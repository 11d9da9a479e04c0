// Package render writes a transcript, or the script of a ceremony that is to be run,
// as Markdown and as HTML fit for print. Whatever a text holds, it shows as text.
package render

// Document is what both forms are written from.
type Document struct {
	Title    string
	Notice   string // what nobody may overlook; empty: nothing
	Footer   string // on each printed page, before its number; printable ASCII
	Sections []Section
}

// Section is a heading with what stands under it, in this order.
type Section struct {
	Title string
	Text  []string // a paragraph each
	Head  []string // of the table
	Rows  [][]string
	Code  string // shown line by line as it is
}

// Formats lists the forms by name.
func Formats() map[string]func(Document) []byte {
	return map[string]func(Document) []byte{"md": Markdown, "html": HTML}
}
