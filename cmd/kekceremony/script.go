package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/render"
)

func scriptCommand() *cobra.Command {
	var format string
	var made, adopted, unfenced bool
	cmd := &cobra.Command{
		Use:   "script KIND",
		Short: "Print the script of a ceremony before it runs",
		Long: `script prints what a ceremony will do, from the same steps that run it: who does
what, about how long it takes, what will be asked, and blanks to sign. KIND is
install, adopt, rotate, generate, roster, reconcile, compromise, disable, enable or
destroy.
The SHA-256 of the Markdown is script_sha256 in the first line of the transcript.`,
		Args: oneArgument,
		RunE: ran(func(cmd *cobra.Command, args []string) error {
			c, ok := steps.Named(args[0])
			if !ok {
				return unknown("script of", args[0], kinds())
			}
			if (made || adopted || unfenced) && c.Kind != transcript.KindRotate {
				return &usageError{fmt.Errorf("script of %s: --made, --adopted and --unfenced are for rotate", c.Kind)}
			}
			opened := transcript.Facts{}
			if made {
				opened[transcript.FactGenerate] = "no"
			}
			if adopted {
				opened[transcript.FactPointer] = "described"
			}
			if unfenced {
				opened[transcript.FactFence] = transcript.Unfenced
			}
			return write(cmd.OutOrStdout(), format, c.Script(version(), opened))
		}),
	}
	cmd.Flags().Var(oneOf(&format, "md", "html"), "format", "md or html")
	cmd.Flags().BoolVar(&made, "made", false, "for a rotation to a version that already exists")
	cmd.Flags().BoolVar(&adopted, "adopted", false, "for a rotation of a database that was adopted")
	cmd.Flags().BoolVar(&unfenced, "unfenced", false, "for a rotation whose store refuses no old version")
	return cmd
}

func write(w io.Writer, format string, d render.Document) error {
	_, err := w.Write(render.Formats()[format](d))
	return err
}
