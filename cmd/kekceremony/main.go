// Command kekceremony runs the key ceremonies of a KEK.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/provider/keeper"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/secret"
)

func main() { os.Exit(run(os.Args[1:])) }

// run is the whole program but its exit.
func run(args []string) int {
	// First and to the last: by itself, SIGQUIT writes the stacks of all goroutines to the terminal.
	o := &options{args: args}
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	keeper.Register(providers...)
	if err := errors.Join(pkcs11.CheckBuild(), secret.Harden()); err != nil {
		return o.report(os.Stderr, err)
	}
	cmd := root(o)
	cmd.SetArgs(args)
	return o.report(os.Stderr, stopped(ctx, execute(ctx, cmd)))
}

func root(o *options) *cobra.Command {
	var asksVersion bool
	cmd := &cobra.Command{
		Use:   "kekceremony",
		Short: "Run the key ceremonies of a KEK, M of N, with a signed transcript",
		Long: `kekceremony runs the key ceremonies of a KEK (key-encryption key): M of N
operators install it, rotate it, and leave a transcript that anyone can check
with ssh-keygen and sha256sum. To try everything with temporary parts, run
"kekceremony rehearse". Without a command it prints the status; on a terminal it
opens a home page, from which a command can be chosen, and to which it returns.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			if asksVersion {
				return writeVersion(cmd.OutOrStdout())
			}
			return nothingAsked(cmd, o, root)
		}),
	}
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.Flags().BoolVar(&asksVersion, "version", false, "print version and digest of this program")
	f := cmd.PersistentFlags()
	f.StringVar(&o.config, "config", "", "configuration file (default /etc/kekceremony/config.yaml)")
	f.StringVar(&o.store, "store", "", "store, instead of the configured one")
	f.Var(oneOf(&o.ui, "auto", "tui", "line", "none"), "ui", "auto, tui, line (plain lines), or none: unattended")
	f.Var(&o.size, "size", "size of the terminal, COLSxROWS, if it reports another or none")
	f.BoolVar(&o.ascii, "ascii", false, "show ASCII characters only")
	f.StringVar(&o.answers, "answers", "", "file of answers, for --ui none")
	f.StringSliceVar(&o.keys, "key", nil, "operator's private key file on this console; may be repeated")
	f.BoolVar(&o.json, "json", false, "print JSON: status, verify, probe, transcript verify")
	f.StringVar(&o.rerun, "rerun", "", "what continues this run, by the rehearsal that it is of")
	f.StringVar(&o.next, "next", "", "what comes after this run, by the rehearsal that it is of")
	_, _ = f.MarkHidden("rerun"), f.MarkHidden("next")
	cmd.AddCommand(rehearseCommand(o), statusCommand(o), installCommand(o), adoptCommand(o), generateCommand(o),
		verifyCommand(o), rotateCommand(o), compromiseCommand(o), disableCommand(o), enableCommand(o), destroyCommand(o),
		kekCommand(o), rosterCommand(o), reconcileCommand(o), abortCommand(o), probeCommand(o), catalogueCommand(o),
		transcriptCommand(o), scriptCommand(), answersCommand(), agentCommand(o), versionCommand(),
		completionCommand(), manCommand(), keeperCommand(), applicationCommand(o))
	return completed(guided(cmd))
}
