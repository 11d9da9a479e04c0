package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
)

func probeCommand(o *options) *cobra.Command {
	var token pkcs11.Config
	var pinFile, applicationPIN string
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Test what the provider can do, on temporary keys: exit 0 or 3",
		Long: `probe needs no store and leaves nothing on the token. Each line is a test, on
temporary keys. With --module and --token it needs no configuration either, and
does not count login attempts: a few wrong PINs may lock the token.

With --application-pin, it also logs in as an application does, and tries what
that login may do to keys: it must be refused to make one, and to destroy one of
no value that the console made. Where one user may do everything, that fails.`,
		Args: noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			if (token.ModulePath == "") != (token.TokenLabel == "") {
				return &usageError{errors.New("--module and --token belong together: give both, or neither")}
			}
			cfg := config.Config{Encryption: config.Encryption{Provider: pkcs11.Name, PINFile: pinFile, Settings: token}}
			if token.ModulePath == "" {
				var err error
				if cfg, err = o.readConfig(); err != nil {
					return err
				}
			}
			return probe(cmd.Context(), cmd.OutOrStdout(), o, cfg, applicationPIN)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&token.ModulePath, "module", "", "PKCS#11 module, instead of the configured one")
	f.StringVar(&token.TokenLabel, "token", "", "label of the token")
	f.StringVar(&token.TokenSerial, "serial", "", "serial of the token, where two have one label")
	f.StringVar(&token.InitArgs, "init-args", "", "string that the module needs in C_Initialize, if any")
	f.StringVar(&pinFile, "pin-file", "", "file of mode 0600 with the PIN; default: a prompt")
	f.StringVar(&applicationPIN, "application-pin", "",
		"file of mode 0600 with the PIN of applications: probe what their login may do")
	f.StringVar(&token.User, "user", "", "with --module: whom applications log in as (encryption.pkcs11.user)")
	f.StringSliceVar(&token.Environment, "env", nil,
		"environment variable passed to the module, which gets no other; may be repeated")
	f.DurationVar(&token.Deadline, "deadline", 0, "longest time of a call into the module (default 1m)")
	return cmd
}

// probed is the result as JSON.
type probed struct {
	Provider map[string]string  `json:"provider"`
	Verdicts []provider.Verdict `json:"verdicts"`
}

func probe(ctx context.Context, w io.Writer, o *options, cfg config.Config, applicationPIN string) error {
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
	line := func(v provider.Verdict) {
		if v.Outcome == provider.Trying {
			return
		}
		result.Verdicts = append(result.Verdicts, v)
		if !o.json {
			fmt.Fprintf(w, "%-6s  %-12s %s\n", v.Outcome, v.Line, printable.Text(v.Detail))
		}
	}
	err = p.Probe(ctx, line)
	if err == nil && applicationPIN != "" {
		err = probeRights(ctx, o, cfg, p, applicationPIN, line)
	}
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
