package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

func transcriptCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "transcript",
		Short: "List, show, replay, verify and render transcripts",
		Args:  noArgument,
	}
	cmd.AddCommand(verifyTranscriptCommand(o), renderCommand(), showCommand(), replayCommand(o), &cobra.Command{
		Use: "list", Short: "List the bundles of the configured directory", Args: noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error { return list(cmd.OutOrStdout(), o) }),
	})
	return cmd
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
		if _, err := os.Stat(filepath.Join(path, logFile)); err != nil {
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
