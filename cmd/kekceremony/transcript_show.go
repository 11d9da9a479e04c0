package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/render"
)

func showCommand() *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use:   "show BUNDLE",
		Short: "Print what happened: who did what, and when",
		Long: `show tells a bundle as a story: what the ceremony was for, who took part, and then
what happened, in order. Signatures that belong together are one sentence, and what a
step found again with the same value is not repeated. --raw prints every line of the
log with every fact instead.

show verifies the bundle first. If the bundle is not good, it says so, shows what can
be read, and ends with the exit code of verify.`,
		Args: oneArgument,
		RunE: ran(func(cmd *cobra.Command, args []string) error { return show(cmd.OutOrStdout(), args[0], raw) }),
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "print every line of the log with every fact")
	return cmd
}

func show(w io.Writer, dir string, raw bool) error {
	report, bad, err := verified(dir)
	if err != nil {
		return err
	}
	if raw {
		showLines(w, report)
	} else if _, err := io.WriteString(w, render.Text(report, bad)); err != nil {
		return err
	}
	if bad != nil {
		return fmt.Errorf("verify %s: %w", printable.Text(dir), &badTranscript{bad})
	}
	_, err = fmt.Fprintf(w, "good; final digest %s\n", report.FinalSum)
	return err
}

// showLines prints every event.
func showLines(w io.Writer, report transcript.Report) {
	for _, e := range report.Events {
		fmt.Fprintf(w, "%4d  %s  %-8s  %s\n",
			e.Seq, printable.Text(e.Time), printable.Text(string(e.Kind)), printable.Text(e.Step))
		for _, name := range slices.Sorted(maps.Keys(e.Facts)) {
			showFact(w, name, e.Facts[name])
		}
	}
}

func showFact(w io.Writer, name, value string) {
	const indent = "                                  "
	lines := strings.Split(strings.TrimSuffix(value, "\n"), "\n")
	fmt.Fprintf(w, "      %-26s  %s\n", printable.Text(name), printable.Shown(lines[0]))
	for _, line := range lines[1:] {
		fmt.Fprintf(w, "%s%s\n", indent, printable.Shown(line))
	}
}
