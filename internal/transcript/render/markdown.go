package render

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// Markdown writes CommonMark with tables. Every punctuation character of a text is
// escaped, so that none of it means anything (CommonMark 0.31, section 2.4).
func Markdown(d Document) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n", inert(d.Title))
	if d.Notice != "" {
		fmt.Fprintf(&b, "\n**%s**\n", inert(d.Notice))
	}
	if len(d.Lead) > 0 {
		b.WriteString("\n" + row([]string{"", ""}) + "|---|---|\n")
		for _, p := range d.Lead {
			b.WriteString(row([]string{p.Name, p.Value}))
		}
	}
	for _, s := range d.Sections {
		fmt.Fprintf(&b, "\n## %s\n", inert(s.Title))
		for _, p := range s.Text {
			fmt.Fprintf(&b, "\n%s\n", inert(p))
		}
		if s.Picture != nil {
			b.Write(s.Picture.markdown())
		}
		if len(s.Rows) > 0 {
			b.WriteString("\n" + row(s.Head) + "|" + strings.Repeat("---|", len(s.Head)) + "\n")
			for _, r := range s.Rows {
				b.WriteString(row(r))
			}
		}
		if s.Code != "" {
			b.WriteString("\n")
			for line := range strings.SplitSeq(strings.TrimSuffix(s.Code, "\n"), "\n") {
				b.WriteString("    " + line + "\n")
			}
		}
	}
	if d.Footer != "" {
		fmt.Fprintf(&b, "\n%s\n", inert(d.Footer))
	}
	return b.Bytes()
}

func row(cells []string) string {
	var b strings.Builder
	for _, c := range cells {
		b.WriteString("| " + strings.ReplaceAll(inert(c), "\n", "<br>") + " ")
	}
	return b.String() + "|\n"
}

// inert escapes what could begin something: anywhere, at the beginning of a line, or
// by making an address that becomes a link.
func inert(text string) string {
	var b strings.Builder
	begins := true // nothing but digits and spaces on this line so far
	for i, r := range text {
		switch {
		case strings.ContainsRune("\\`*_{}[]<>()#!|~&@", r),
			strings.ContainsRune("-+.=:)", r) && begins,
			r == ':' && strings.HasPrefix(text[i:], "://"),
			r == '.' && strings.EqualFold(text[max(0, i-3):i], "www"):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		begins = r == '\n' || begins && strings.ContainsRune(" 0123456789", r)
	}
	return b.String()
}

// markdown lists the runs: Markdown has no pictures of its own.
func (t *Timeline) markdown() []byte {
	var b bytes.Buffer
	b.WriteString("\n" + row([]string{"run", "from", "to"}) + "|---|---|---|\n")
	for i, r := range t.Runs {
		b.WriteString(row([]string{fmt.Sprint(i + 1), r.From.UTC().Format(time.RFC3339), r.To.UTC().Format(time.RFC3339)}))
	}
	return b.Bytes()
}
