package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man [COMMAND...]",
		Short: "Print the man page of this program, or of one of its commands",
		Long: `man prints a page for man(1). A package puts "kekceremony man" at
/usr/share/man/man8/kekceremony.8, and "kekceremony man rotate" at
/usr/share/man/man8/kekceremony-rotate.8.`,
		RunE: ran(func(cmd *cobra.Command, args []string) error {
			about, err := commandNamed(cmd.Root(), args)
			if err != nil {
				return &usageError{err}
			}
			return writeMan(cmd.OutOrStdout(), about)
		}),
	}
}

// writeMan writes a page as groff_man(7) reads it.
func writeMan(w io.Writer, cmd *cobra.Command) error {
	var b strings.Builder
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	fmt.Fprintf(&b, ".TH %s 8 \"\" %s\n", strings.ToUpper(roff(name)), roffQuoted(version()))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(name), roff(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(cmd.UseLine()))
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	b.WriteString(".SH DESCRIPTION\n" + paragraphs(text))
	if cmd.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(c.Name()), roff(c.Short))
			}
		}
	}
	b.WriteString(".SH OPTIONS\n")
	for _, flags := range []*pflag.FlagSet{cmd.NonInheritedFlags(), cmd.InheritedFlags()} {
		flags.VisitAll(func(f *pflag.Flag) { writeFlag(&b, f) })
	}
	b.WriteString(".SH EXIT STATUS\n")
	for _, code := range guideOf(cmd).exits {
		fmt.Fprintf(&b, ".TP\n.B %d\n%s\n", code, roff(meanings[code]))
	}
	if cmd.Example != "" {
		b.WriteString(".SH EXAMPLES\n.nf\n" + roff(cmd.Example) + "\n.fi\n")
	}
	b.WriteString(".SH SEE ALSO\n.BR ssh-keygen (1),\n.BR sha256sum (1)\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func writeFlag(b *strings.Builder, f *pflag.Flag) {
	if f.Hidden {
		return
	}
	of, usage := pflag.UnquoteUsage(f)
	fmt.Fprintf(b, ".TP\n.BR \\-\\-%s", roff(f.Name))
	if of != "" {
		fmt.Fprintf(b, " \" %s\"", roff(of))
	}
	b.WriteString("\n" + roff(usage) + "\n")
}

// paragraphs keeps a text's empty lines, and the form of lines that are indented.
func paragraphs(text string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(text, "\n\n") {
		if strings.HasPrefix(part, " ") {
			b.WriteString(".PP\n.nf\n" + roff(part) + "\n.fi\n")
			continue
		}
		b.WriteString(".PP\n" + roff(part) + "\n")
	}
	return b.String()
}

// roff makes a text that means nothing to groff: neither an escape nor, at the beginning of a line,
// a request.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func roffQuoted(text string) string { return `"` + strings.ReplaceAll(roff(text), `"`, `\(dq`) + `"` }
