package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

func probeCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "probe",
		Short: "Find out what the provider can do, on throw-away keys: exit 0 or 3",
		Long:  `probe leaves nothing on the token and needs no store. Each line is found by trying.`,
		Args:  cobra.NoArgs,
		RunE:  held(func(cmd *cobra.Command, _ []string) error { return probe(cmd.Context(), cmd.OutOrStdout(), o) }),
	}
}

// probed is the result as JSON.
type probed struct {
	Provider map[string]string  `json:"provider"`
	Verdicts []provider.Verdict `json:"verdicts"`
}

func probe(ctx context.Context, w io.Writer, o *options) error {
	cfg, err := o.readConfig()
	if err != nil {
		return err
	}
	p, err := loggedIn(ctx, o, cfg)
	if err != nil {
		return err
	}
	defer p.Close()
	result := probed{Verdicts: []provider.Verdict{}}
	if result.Provider, err = p.Describe(ctx); err != nil {
		return err
	}
	if !o.json {
		for _, name := range slices.Sorted(maps.Keys(result.Provider)) {
			fmt.Fprintf(w, "%-14s %s\n", name, printable.Text(result.Provider[name]))
		}
	}
	err = p.Probe(ctx, func(v provider.Verdict) {
		if v.Outcome == provider.Trying {
			return
		}
		result.Verdicts = append(result.Verdicts, v)
		if !o.json {
			fmt.Fprintf(w, "%-6s  %-12s %s\n", v.Outcome, v.Line, printable.Text(v.Detail))
		}
	})
	if !o.json {
		return err
	}
	if about, descErr := p.Describe(ctx); descErr == nil { // the IV mode is known by now
		result.Provider = about
	}
	if jsonErr := writeJSON(w, result); err == nil {
		err = jsonErr
	}
	return err
}
