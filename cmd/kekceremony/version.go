package main

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" {
		v = "(devel)"
	}
	return v
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version and digest of this program",
		Args:  noArgument,
		RunE:  ran(func(cmd *cobra.Command, _ []string) error { return writeVersion(cmd.OutOrStdout()) }),
	}
}

// writeVersion answers the command and the flag alike.
func writeVersion(w io.Writer) error {
	t, err := thisTool()
	if err != nil {
		return err
	}
	from := ""
	if t.From != "" {
		from = "sha256 from the file beside the program, which this user may not read\n"
	}
	_, err = fmt.Fprintf(w, "kekceremony %s\nsha256 %s\n%s", t.Version, t.SHA256, from)
	return err
}
