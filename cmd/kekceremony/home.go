package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/status"
	"github.com/certautopilot/kekceremony/internal/term"
	"github.com/certautopilot/kekceremony/internal/tui"
)

// nothingAsked answers the bare command. On a terminal it is the home page, from which a command is
// begun as if it were typed, of a program that begin makes; elsewhere the status, which names the
// next command.
func nothingAsked(cmd *cobra.Command, o *options, begin func() *cobra.Command) error {
	if _, err := os.Stat(o.configPath()); err != nil {
		return &usageError{errors.New("no configuration, and no command")}
	}
	terminal, err := o.terminal()
	if err != nil {
		return err
	}
	if terminal == nil || o.json || o.plain(terminal) {
		_, err := showStatus(cmd.Context(), cmd.OutOrStdout(), o, false)
		return err
	}
	return atHome(cmd, o, terminal, begin)
}

// atHome shows the home page, and runs the command that is chosen there, until somebody quits: on the
// page, or below what a command printed, with that command's exit code.
func atHome(cmd *cobra.Command, o *options, terminal *term.Terminal, begin func() *cobra.Command) error {
	for {
		args, err := tui.Home(cmd.Context(), terminal, func(ctx context.Context) (tui.Front, error) {
			cfg, err := o.readConfig()
			if err != nil {
				return tui.Front{}, err
			}
			st, err := look(ctx, o, cfg, false)
			return front(st, cfg, o.given()), err
		})
		if err != nil || args == nil {
			return err
		}
		fmt.Fprintln(terminal.Out, "$ "+shown(args))
		chosen, environment := begin(), os.Environ()
		chosen.SetArgs(append(args, o.screen()...))
		err = execute(cmd.Context(), chosen)
		setEnvironment(environment)
		if cmd.Context().Err() != nil {
			return err
		}
		code := report(cmd.ErrOrStderr(), err)
		if back, err := homeAgain(cmd.Context(), terminal); !back || err != nil {
			return errors.Join(reported(code), err)
		}
	}
}

// setEnvironment sets all variables, and no others: a rehearsal forgets those of the real parts.
func setEnvironment(all []string) {
	os.Clearenv()
	for _, line := range all {
		name, value, _ := strings.Cut(line, "=")
		os.Setenv(name, value)
	}
}

// homeAgain leaves what a command printed on the screen until somebody has read it, and asks whether the
// home page is wanted again. What was typed before is discarded.
func homeAgain(ctx context.Context, terminal *term.Terminal) (back bool, err error) {
	defer func() { err = errors.Join(err, terminal.Restore()) }()
	if err := terminal.Rested(ctx); err != nil {
		return false, quits(err)
	}
	fmt.Fprint(terminal.Out, "\nPress Enter for the home page, or type q and Enter to quit: ")
	line, err := terminal.ReadLine(ctx)
	if err != nil {
		return false, quits(err)
	}
	return !strings.EqualFold(strings.TrimSpace(line), "q"), nil
}

// quits is nil for what ends a home page as q does: ctrl+c, and a terminal that gives nothing more.
func quits(err error) error {
	if errors.Is(err, term.ErrInterrupted) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// given are the flags that the command which is chosen gets as well.
func (o *options) given() (args []string) {
	if o.config != "" {
		args = append(args, "--config", o.config)
	}
	if o.store != "" {
		args = append(args, "--store", o.store)
	}
	for _, key := range o.keys {
		args = append(args, "--key", key)
	}
	return args
}

// typing is how people type a command that acts on the same parts as this run: with its flags, and in a rehearsal
// with the variable that names its token.
func (o *options) typing(c config.Config) func(command string) string {
	token := ""
	if path := (rehearsal.Parts{Dir: filepath.Dir(o.configPath())}).Token(); c.Rehearsal != nil &&
		os.Getenv(rehearsal.Variable) == path {
		token = rehearsal.Variable + "=" + typed([]string{path})
	}
	return func(command string) string {
		return strings.TrimSpace(strings.Join([]string{token, command, typed(o.given())}, " "))
	}
}

// shown is a command as people would type it.
func shown(args []string) string {
	return strings.TrimSpace("kekceremony " + typed(args))
}

// typed are words of a command as people would type them.
func typed(args []string) string {
	var words []string
	for _, arg := range args {
		if !plainWord.MatchString(arg) {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		words = append(words, printable.Line(arg))
	}
	return strings.Join(words, " ")
}

// plainWord is a word that a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// homeWidth is the width of the status on the home page, in columns.
const homeWidth = 76

// front is the home page of a status: what is due first, then what people may begin, then what they
// may read. flags go with each command that reads the configuration.
func front(st status.Status, cfg config.Config, flags []string) tui.Front {
	p := page{width: homeWidth}
	p.standing(st)
	f := tui.Front{Store: printable.Line(st.Store), Heading: headingWidth,
		Lines: strings.Split(strings.TrimRight(p.String(), "\n"), "\n")}
	var due []tui.Choice
	for _, d := range st.Due {
		due = append(due, choice(capital(d.Why), d.Command, flags))
	}
	if len(due) > 0 {
		f.Sections = append(f.Sections, tui.Section{Title: "Due", Choices: due})
	}
	title := "Ceremonies"
	if st.Open() {
		title = fmt.Sprintf("Ceremonies: all others wait until ceremony %d is finished", st.Last.Seq)
	}
	f.Sections = append(f.Sections, tui.Section{Title: title, Choices: ceremonies(st, flags)},
		tui.Section{Title: "Look, read and verify", Choices: readings(cfg.Transcripts, flags)})
	return f
}

// capital begins a sentence.
func capital(says string) string {
	if says == "" {
		return says
	}
	return strings.ToUpper(says[:1]) + says[1:]
}

// choice is one that runs a command as it is shown, unless words of it are for people to fill in.
func choice(says, command string, flags []string) tui.Choice {
	c := tui.Choice{Says: says, Command: command}
	words := strings.Fields(command)
	if len(words) > 1 && words[0] == "kekceremony" && !strings.ContainsAny(command, ",<>[]") &&
		!slices.ContainsFunc(words, func(w string) bool { return w != strings.ToLower(w) }) {
		c.Args = append(words[1:], flags...)
		c.Command = shown(c.Args)
	}
	return c
}

// ceremonies are those that people may want. Whether one may begin, it says itself. While one is not
// finished, no other may.
func ceremonies(st status.Status, flags []string) (all []tui.Choice) {
	newest := kek.Version(0)
	for _, v := range st.Versions {
		newest = max(newest, v.Version)
		if v.Ready {
			all = append(all, choice(fmt.Sprintf("Disable version %d", v.Version),
				fmt.Sprintf("kekceremony disable --version %d", v.Version), flags))
		}
	}
	switch {
	case st.Open():
		all = []tui.Choice{choice(fmt.Sprintf("Abort ceremony %d, %s: what it did stays done", st.Last.Seq, st.Last.Kind),
			"kekceremony abort", flags)}
	case st.Installed:
		rotate := choice(fmt.Sprintf("Rotate to version %d", newest+1),
			fmt.Sprintf("kekceremony rotate --to-version %d", newest+1), flags)
		all = append([]tui.Choice{rotate}, append(all, choice("Change the roster", "kekceremony roster", flags))...)
	default:
		all = append(all, choice("Install: make the first key, and lock the store", "kekceremony install", flags))
	}
	return append(all, choice("Rehearse a whole key life with temporary parts", "kekceremony rehearse", nil))
}

// lastBundles is how many transcripts the home page has.
const lastBundles = 3

// readings are the status in full, the fleet, and the last transcripts.
func readings(dir string, flags []string) []tui.Choice {
	all := []tui.Choice{choice("Verify the fleet", "kekceremony verify", flags),
		choice("Show the status in full", "kekceremony status", flags)}
	entries, _ := os.ReadDir(dir) // one that cannot be read has none
	slices.Reverse(entries)
	for _, e := range entries {
		if len(all) == lastBundles*2+2 {
			break
		}
		if !history.BundleName.MatchString(e.Name()) {
			continue
		}
		for _, verb := range []string{"show", "verify"} {
			args := []string{"transcript", verb, filepath.Join(dir, e.Name())}
			all = append(all, tui.Choice{Says: capital(verb) + " transcript " + e.Name(), Command: shown(args), Args: args})
		}
	}
	return all
}
