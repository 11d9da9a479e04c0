package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// rehearsed is one run of rehearse.
type rehearsed struct {
	*options
	provider string
	records  int
	rate     int
	dir      string
	dirGiven bool // else it is a new one
	given    func(flag string) bool
	only     []string
	parts    rehearsal.Parts
}

func rehearseCommand(o *options) *cobra.Command {
	r := &rehearsed{options: o}
	cmd := &cobra.Command{
		Use:   "rehearse",
		Short: "Rehearse a full key life with a temporary token, store, operators and fleet",
		Long: `rehearse makes a token, a store, operators and applications in a directory, and
runs the ceremonies of --only with them, by the commands of a real run. Given
the --dir of an existing rehearsal it continues that one, with its provider. It
keeps its number of records, unless --records asks for another: those that are
missing are written.`,
		Args: noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context()) }),
	}
	r.given = cmd.Flags().Changed
	cmd.Flags().Var(oneOf(&r.provider, "pkcs11", "env"), "provider", "pkcs11 (SoftHSM2) or env")
	cmd.Flags().IntVar(&r.records, "records", 1000, "records to re-wrap")
	cmd.Flags().IntVar(&r.rate, "rate", 0, "maximum envelopes per second; 0: no limit")
	cmd.Flags().StringSliceVar(&r.only, "only", life, "ceremonies to run: install and what follows it, none left out")
	cmd.Flags().StringVar(&r.dir, "dir", "", "directory of the rehearsal; continues an existing one")
	return cmd
}

func (r *rehearsed) run(ctx context.Context) (err error) {
	forgetEnvironment()
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if !r.finished(1) {
		if err := r.child(ctx, "install", "--answers", r.parts.Answers("install")); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "kekceremony: rehearse: writing records until there are %s\n", printable.Count(r.records))
	if err := r.application(ctx, func(a rehearsal.Application) error { return a.Write(ctx, r.records) }); err != nil {
		return err
	}
	fleet, err := r.startFleet(ctx)
	if err != nil {
		return err
	}
	err = r.awaitHeartbeats(ctx, fleet)
	if err == nil {
		err = r.live(ctx)
	}
	if err := errors.Join(err, fleet.end()); err != nil {
		return err
	}
	return r.finish(ctx)
}

// forgetEnvironment keeps from this process and its children what the environment sets for the
// real parts: a rehearsal has its own.
func forgetEnvironment() {
	for _, line := range os.Environ() {
		if name, _, _ := strings.Cut(line, "="); strings.HasPrefix(name, config.Prefix) {
			os.Unsetenv(name)
		}
	}
}

func (r *rehearsed) prepare(ctx context.Context) (err error) {
	if r.records < 1 || r.rate < 0 {
		return &usageError{errors.New("--records must be at least 1, --rate at least 0")}
	}
	for _, name := range r.only {
		if !slices.Contains(life, name) {
			return unknown("--only", name, life)
		}
	}
	if n := len(r.only); n < 1 || n > len(life) || !slices.Equal(r.only, life[:n]) {
		return &usageError{fmt.Errorf("--only %s: want a beginning of %s", printable.Quote(strings.Join(r.only, ",")),
			strings.Join(life, ","))}
	}
	if r.dirGiven = r.dir != ""; !r.dirGiven {
		if r.dir, err = os.MkdirTemp("", "kekceremony-rehearsal-"); err != nil {
			return err
		}
	}
	if r.dir, err = filepath.Abs(r.dir); err != nil {
		return err
	}
	parts, found := rehearsal.Open(r.dir)
	if found {
		if err := r.continueWith(parts); err != nil {
			return err
		}
	} else {
		name := r.store
		if name == "" {
			name = config.SQLite + parts.Store()
		} else if err := config.CheckStore(name); err != nil {
			return &usageError{fmt.Errorf("--store: %w", err)}
		}
		create := func(ctx context.Context) error { return createStore(ctx, name) }
		if parts, err = rehearsal.Make(ctx, r.dir, r.provider, name, create); err != nil {
			return err
		}
	}
	if err := parts.KeepRecords(r.records); err != nil {
		return err
	}
	r.parts = parts
	r.rerun = r.continues()
	r.config = parts.Config()
	return nil
}

// continueWith takes over the provider and the number of records of an earlier run, unless another number is given.
func (r *rehearsed) continueWith(parts rehearsal.Parts) error {
	cfg, err := config.Read(parts.Config(), providers...)
	if err != nil {
		return &usageError{&configError{path: parts.Config(), err: err}}
	}
	if has := cfg.Encryption.Provider; r.given("provider") && r.provider != has {
		return &usageError{fmt.Errorf("--provider %s: the rehearsal in %s has provider %s", r.provider,
			printable.Text(parts.Dir), has)}
	}
	r.provider = cfg.Encryption.Provider
	if n, ok := parts.Records(); ok && !r.given("records") {
		r.records = n
	}
	return nil
}

// continues is the command that continues this rehearsal.
func (r *rehearsed) continues() string {
	args := slices.Clone(r.args)
	if !r.dirGiven {
		args = append(args, "--dir", r.dir)
	}
	return shown(args)
}

// bundles lists the bundles in the order of their ceremonies.
func (r *rehearsed) bundles() []string {
	all, _ := filepath.Glob(filepath.Join(r.parts.Bundles(), "[0-9]*-[0-9][0-9][0-9][0-9]-*[a-z]")) // the pattern is right
	dirs := all[:0]
	for _, path := range all {
		if filepath.Ext(path) == "" {
			dirs = append(dirs, path)
		}
	}
	return dirs
}

// finished reports whether ceremony n left a good transcript, or one that nobody can make good.
func (r *rehearsed) finished(n int) bool {
	all := r.bundles()
	if len(all) < n {
		return false
	}
	_, err := transcript.Verify(all[n-1])
	return err == nil || errors.Is(err, transcript.ErrDisagreed)
}

// disagreed is transcript.ErrDisagreed of the first ceremony with whose end too few agree.
func (r *rehearsed) disagreed() error {
	for _, dir := range r.bundles() {
		if _, err := transcript.Verify(dir); errors.Is(err, transcript.ErrDisagreed) {
			return fmt.Errorf("%s: %w", printable.Text(filepath.Base(dir)), err)
		}
	}
	return nil
}

// command is this very program.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Args[0] = os.Args[0]
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd
}

// child runs one of this program's own commands on the same terminal, as a real
// run does.
func (r *rehearsed) child(ctx context.Context, args ...string) error {
	cmd := command(ctx, slices.Concat(args, []string{"--config", r.parts.Config(), "--rerun", r.rerun, "--next",
		r.following(args[0])}, r.screen())...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && (ctx.Err() == nil || exit.Exited()) {
		return fmt.Errorf("%s in %s: %w", args[0], r.dir, &childError{max(exit.ExitCode(), exitFailed)})
	}
	return err
}

// application gives do the application's own access to store and token.
func (r *rehearsed) application(ctx context.Context, do func(rehearsal.Application) error) error {
	cfg, err := r.readConfig()
	if err != nil {
		return err
	}
	db, err := configuredStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	lock, err := db.Lock(ctx)
	if err != nil {
		return err
	}
	p, err := cfg.Encryption.Settings.Open() // an application has its DEKs itself
	if err != nil {
		return err
	}
	defer p.Close()
	if cfg.Encryption.PINFile != "" {
		if err := (login.Login{PIN: login.PIN{File: cfg.Encryption.PINFile}}).Into(ctx, p); err != nil {
			return err
		}
	}
	active, err := db.Active(ctx)
	if err != nil {
		return err
	}
	return do(rehearsal.Application{Records: db, Provider: p, Chain: lock.Chain, Active: active.Version})
}

// finish decrypts every payload, proves that a destroyed key is gone, and prints the commands that check
// the bundles, each as it can be copied.
func (r *rehearsed) finish(ctx context.Context) error {
	err := r.application(ctx, func(a rehearsal.Application) error {
		for i := range r.records {
			if _, err := a.Read(ctx, i); err != nil {
				return err
			}
		}
		if r.lives("destroy") {
			return r.gone(ctx, a.Chain)
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("%d of %d payloads decrypt to what was written\nNext, check the transcripts:\n", r.records, r.records)
	for _, dir := range r.bundles() {
		fmt.Println(shown([]string{"transcript", "verify", dir}))
	}
	return r.disagreed()
}
