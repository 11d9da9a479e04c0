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
		Short: "List, show and verify transcripts",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(&cobra.Command{
		Use: "verify BUNDLE...", Short: "Check bundles: exit 0 good, 4 bad, 5 incomplete", Args: cobra.MinimumNArgs(1),
		RunE: held(func(cmd *cobra.Command, args []string) error { return verifyAll(cmd.OutOrStdout(), args) }),
	}, &cobra.Command{
		Use: "show BUNDLE", Short: "Tell what happened, line by line", Args: cobra.ExactArgs(1),
		RunE: held(func(cmd *cobra.Command, args []string) error { return show(cmd.OutOrStdout(), args[0]) }),
	}, &cobra.Command{
		Use: "list", Short: "List the bundles of the configured directory", Args: cobra.NoArgs,
		RunE: held(func(cmd *cobra.Command, _ []string) error { return list(cmd.OutOrStdout(), o) }),
	})
	return cmd
}

// verifyAll says of each bundle what it is. The exit code is that of the worst:
// bad before incomplete.
func verifyAll(w io.Writer, dirs []string) error {
	var worst error
	bad := 0
	for _, dir := range dirs {
		if _, err := os.Stat(dir); err != nil {
			return &usageError{err}
		}
		report, err := transcript.Verify(dir)
		if err == nil {
			tellGood(w, dir, report)
			continue
		}
		bad++
		word := "bad"
		if errors.Is(err, transcript.ErrIncomplete) {
			word = "incomplete"
		}
		fmt.Fprintf(w, "%s: %s: %s\n", word, printable.Text(dir), err)
		if worst == nil || errors.Is(worst, transcript.ErrIncomplete) {
			worst = err
		}
	}
	if worst != nil {
		return fmt.Errorf("%d of %d bundles are not good: %w", bad, len(dirs), &badTranscript{worst})
	}
	return nil
}

func tellGood(w io.Writer, dir string, report transcript.Report) {
	opened := report.Events[0].Facts
	fmt.Fprintf(w, "good: %s: %s %s of chain %s, %s\n", printable.Text(dir), opened[transcript.FactKind], opened[transcript.FactCeremony],
		opened[transcript.FactChain], opened[transcript.FactMode])
	fmt.Fprintf(w, "  lines   %d, final digest %s\n", len(report.Events), report.FinalSum)
	fmt.Fprintf(w, "  finals  %s; quorum %d\n", verdicts(report.Finals), report.Roster.M)
}

func verdicts(finals map[string]transcript.Verdict) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(finals)) {
		all = append(all, fmt.Sprintf("%s (%s)", name, finals[name]))
	}
	return strings.Join(all, ", ")
}

// show prints every event. It verifies first, and says so when that fails, but
// shows what can be read all the same.
func show(w io.Writer, dir string) error {
	report, err := transcript.Verify(dir)
	for _, e := range report.Events {
		fmt.Fprintf(w, "%4d  %s  %-8s  %s\n", e.Seq, printable.Text(e.Time), printable.Text(string(e.Kind)), printable.Text(e.Step))
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
	fmt.Fprintf(w, "      %-26s  %s\n", printable.Text(name), printable.Text(lines[0]))
	for _, line := range lines[1:] {
		fmt.Fprintf(w, "%s%s\n", indent, printable.Text(line))
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
		if _, err := os.Stat(filepath.Join(path, "events.jsonl")); err == nil {
			fmt.Fprintln(w, printable.Text(path))
		}
	}
	return nil
}
