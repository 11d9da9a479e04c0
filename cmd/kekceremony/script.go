package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/printable"
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
		Args: cobra.ExactArgs(1),
		RunE: ran(func(cmd *cobra.Command, args []string) error {
			c, ok := steps.Named(args[0])
			if !ok {
				return &usageError{fmt.Errorf("script of %s: want one of %s", printable.Quote(args[0]),
					strings.Join(kinds(), ", "))}
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
	cmd.Flags().StringVar(&format, "format", "md", "md or html")
	cmd.Flags().BoolVar(&made, "made", false, "for a rotation to a version that already exists")
	cmd.Flags().BoolVar(&adopted, "adopted", false, "for a rotation of a database that was adopted")
	cmd.Flags().BoolVar(&unfenced, "unfenced", false, "for a rotation whose store refuses no old version")
	return cmd
}

func write(w io.Writer, format string, d render.Document) error {
	form, ok := render.Formats()[format]
	if !ok {
		return &usageError{fmt.Errorf("--format %s: want md or html", printable.Quote(format))}
	}
	_, err := w.Write(form(d))
	return err
}
