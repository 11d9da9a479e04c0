package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

func transcriptCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "transcript",
		Short: "List, show, verify and render transcripts",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(verifyTranscriptCommand(o), renderCommand(), &cobra.Command{
		Use: "show BUNDLE", Short: "Print what happened, line by line", Args: cobra.ExactArgs(1),
		RunE: ran(func(cmd *cobra.Command, args []string) error { return show(cmd.OutOrStdout(), args[0]) }),
	}, &cobra.Command{
		Use: "list", Short: "List the bundles of the configured directory", Args: cobra.NoArgs,
		RunE: ran(func(cmd *cobra.Command, _ []string) error { return list(cmd.OutOrStdout(), o) }),
	})
	return cmd
}

// show prints every event. It verifies first, and says so when that fails, but
// shows what can be read all the same.
func show(w io.Writer, dir string) error {
	report, err := transcript.Verify(dir)
	for _, e := range report.Events {
		fmt.Fprintf(w, "%4d  %s  %-8s  %s\n",
			e.Seq, printable.Text(e.Time), printable.Text(string(e.Kind)), printable.Text(e.Step))
		for _, name := range slices.Sorted(maps.Keys(e.Facts)) {
			showFact(w, name, e.Facts[name])
		}
	}
	if err != nil {
		return fmt.Errorf("verify %s: %w", printable.Text(dir), &badTranscript{err})
	}
	_, err = fmt.Fprintf(w, "good; final digest %s\n", report.FinalSum)
	return err
}

func showFact(w io.Writer, name, value string) {
	const indent = "                                  "
	lines := strings.Split(strings.TrimSuffix(value, "\n"), "\n")
	fmt.Fprintf(w, "      %-26s  %s\n", printable.Text(name), printable.Shown(lines[0]))
	for _, line := range lines[1:] {
		fmt.Fprintf(w, "%s%s\n", indent, printable.Shown(line))
	}
}

func list(w io.Writer, o *options) error {
	cfg, err := o.readConfig()
	if err != nil {
		return err
	}
	dirs, err := os.ReadDir(cfg.Transcripts)
	if err != nil {
		return err
	}
	for _, d := range dirs {
		path := filepath.Join(cfg.Transcripts, d.Name())
		if _, err := os.Stat(filepath.Join(path, "events.jsonl")); err != nil {
			continue
		}
		line := printable.Text(path)
		if _, void := transcript.UnvoidName(d.Name()); void {
			line += "  " + voidLine(transcript.Verify(path))
		}
		fmt.Fprintln(w, line)
	}
	return nil
}

// voidLine says of a bundle that has the name of a void one whether it is.
func voidLine(r transcript.Report, err error) string {
	if !errors.Is(err, transcript.ErrVoid) {
		return "called void, and is " + string(transcript.StandingOf(err))
	}
	return fmt.Sprintf("void: given up by %s: %s", printable.Shown(r.Facts[transcript.FactOperator]),
		printable.Shown(r.Facts[transcript.FactReason]))
}
