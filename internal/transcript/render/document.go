// Package render writes a transcript, or the script of a ceremony that is to be run,
// as plain text, as Markdown and as HTML fit for print. Whatever a text holds, it shows as text.
package render

// Document is what all forms are written from.
type Document struct {
	Title    string
	Notice   string // what nobody may overlook; empty: nothing
	Lead     []Pair // what the first page says before anything else
	Footer   string // on each printed page, before its number; printable ASCII
	Sections []Section
}

// Pair is a name and what is said of it.
type Pair struct{ Name, Value string }

// Section is a heading with what stands under it, in this order.
type Section struct {
	Title   string
	Chapter bool     // begins a page in print
	Text    []string // a paragraph each
	Picture *Timeline
	Head    []string // of the table
	Rows    [][]string
	Marks   []Mark // of the rows; none: no row has one
	Facts   bool   // the table has a name, a value and a line's number in each row
	Code    string // shown line by line as it is
}

// Mark is that of a row.
func (s Section) Mark(row int) Mark {
	if row < len(s.Marks) {
		return s.Marks[row]
	}
	return Plain
}

// Mark says of a row or a passage that a reader should not overlook it.
type Mark string

// The marks.
const (
	Plain    Mark = ""
	Resume   Mark = "resume"
	Deviates Mark = "deviation"
	Fails    Mark = "failed"
)
