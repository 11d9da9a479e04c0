package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript/render"
)

func renderCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "render BUNDLE",
		Short: "Write a bundle as a document to read or to print",
		Long: `render verifies the bundle first. If the bundle is not good, the document says
so at the top, and the exit code is that of verify.`,
		Args: oneArgument,
		RunE: ran(func(cmd *cobra.Command, args []string) error {
			report, bad, err := verified(args[0])
			if err != nil {
				return err
			}
			if err := write(cmd.OutOrStdout(), format, render.Report(report, bad)); err != nil {
				return err
			}
			if bad != nil {
				return fmt.Errorf("render %s: %w", printable.Text(args[0]), &badTranscript{bad})
			}
			return nil
		}),
	}
	cmd.Flags().Var(oneOf(&format, "md", "html"), "format", "md or html")
	return cmd
}
