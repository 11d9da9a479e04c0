package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/engine"
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
		Args:  cobra.NoArgs,
		RunE:  ran(func(cmd *cobra.Command, _ []string) error { return writeVersion(cmd.OutOrStdout()) }),
	}
}

// writeVersion answers the command and the flag alike.
func writeVersion(w io.Writer) error {
	t, err := thisTool()
	if err == nil {
		_, err = fmt.Fprintf(w, "kekceremony %s\nsha256 %s\n", t.Version, t.SHA256)
	}
	return err
}

func thisTool() (engine.Tool, error) {
	t := engine.Tool{Version: version()}
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return t, fmt.Errorf("digest this program: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	t.SHA256 = hex.EncodeToString(h.Sum(nil))
	return t, err
}
