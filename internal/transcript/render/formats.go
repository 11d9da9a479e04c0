package render

// Formats lists the forms by name.
func Formats() map[string]func(Document) []byte {
	return map[string]func(Document) []byte{"md": Markdown, "html": HTML}
}
