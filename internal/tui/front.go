package tui

// Front is what the home page shows: how things stand, and what can be begun.
type Front struct {
	Store    string
	Lines    []string // each a heading of so many columns, and text
	Heading  int
	Sections []Section
}

// Section is a group of choices.
type Section struct {
	Title   string
	Choices []Choice
}

// Choice is one thing that can be begun, read or verified: the command that does it. One without
// Args is said and not begun: its command lacks something that only people know. One that Opens a ceremony
// is begun after a question: the ceremony is there, and all others wait, before anybody attends.
type Choice struct {
	Says    string
	Command string // as people would type it
	Args    []string
	Opens   bool
}

// choices are all of the page, in order.
func (f Front) choices() (all []Choice) {
	for _, s := range f.Sections {
		all = append(all, s.Choices...)
	}
	return all
}
