package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/status"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/term"
	"github.com/certautopilot/kekceremony/internal/tui"
)

// nothingAsked answers the bare command. On a terminal it is the home page, from which a command is
// begun as if it were typed, of a program that begin makes; elsewhere the status, which names the
// next command.
func nothingAsked(cmd *cobra.Command, o *options, begin func(*options) *cobra.Command) error {
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
func atHome(cmd *cobra.Command, o *options, terminal *term.Terminal, begin func(*options) *cobra.Command) error {
	for {
		var cfg config.Config
		var st status.Status
		args, err := tui.Home(cmd.Context(), terminal, func(ctx context.Context) (_ tui.Front, err error) {
			if cfg, err = o.readConfig(); err != nil {
				return tui.Front{}, err
			}
			st, err = look(ctx, o, cfg, false)
			return front(st, cfg, o), err
		})
		if err != nil || args == nil {
			return err
		}
		fmt.Fprintln(terminal.Out, "$ "+shown(args))
		own := &options{args: args}
		chosen, environment := begin(own), os.Environ()
		chosen.SetArgs(slices.Concat(args, o.screen()))
		err = withFleet(cmd, o, cfg, st, args, func() error { return execute(cmd.Context(), chosen) })
		setEnvironment(environment)
		if cmd.Context().Err() != nil {
			return err
		}
		code := own.report(cmd.ErrOrStderr(), err)
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

// homeWidth is the width of the status on the home page, in columns.
const homeWidth = 76

// front is the home page of a status: what is due first, then what people may begin, then what they
// may read.
func front(st status.Status, cfg config.Config, o *options) tui.Front {
	p := page{width: homeWidth}
	p.standing(st)
	f := tui.Front{Store: printable.Line(st.Store), Heading: headingWidth,
		Lines: strings.Split(strings.TrimRight(p.String(), "\n"), "\n")}
	var due []tui.Choice
	for _, d := range st.Due {
		says := capital(d.Why)
		if st.Continues(d) {
			says = "Continue: " + d.Why
		}
		due = append(due, opening(st, o.choice(says, d.Command)))
	}
	if len(due) > 0 {
		f.Sections = append(f.Sections, tui.Section{Title: "Due", Choices: due})
	}
	title := "Ceremonies"
	if st.Open() {
		title = fmt.Sprintf("Ceremonies: all others wait until ceremony %d is finished", st.Last.Seq)
	}
	f.Sections = append(f.Sections, tui.Section{Title: title, Choices: ceremonies(st, o)},
		tui.Section{Title: "Look, read and verify", Choices: readings(cfg.Transcripts, o)})
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
func (o *options) choice(says, command string) tui.Choice {
	c := tui.Choice{Says: says, Command: o.typing(command)}
	words := strings.Fields(command)
	if len(words) > 1 && words[0] == "kekceremony" && !strings.ContainsAny(command, ",<>[]") &&
		!slices.ContainsFunc(words, func(w string) bool { return w != strings.ToLower(w) }) {
		if c.Args = words[1:]; readsConfiguration(words[1]) {
			c.Args = append(c.Args, o.given()...)
		}
	}
	return c
}

// opening is a choice that opens a ceremony, if its command is one's and none is open that it continues or aborts.
func opening(st status.Status, c tui.Choice) tui.Choice {
	if len(c.Args) > 0 && !st.Open() {
		_, c.Opens = steps.Named(c.Args[0])
	}
	return c
}

// ceremonies are those that people may want. Whether one may begin, it says itself. While one is not
// finished, no other may.
func ceremonies(st status.Status, o *options) (all []tui.Choice) {
	if st.Open() {
		return []tui.Choice{o.choice(fmt.Sprintf("Abort ceremony %d, %s: what it did stays done", st.Last.Seq, st.Last.Kind),
			"kekceremony abort")}
	}
	newest := kek.Version(0)
	for _, v := range st.Versions {
		newest = max(newest, v.Version)
		if v.Ready {
			all = append(all, o.choice(fmt.Sprintf("Disable version %d", v.Version),
				fmt.Sprintf("kekceremony disable --version %d", v.Version)))
		}
	}
	if st.Installed {
		rotate := o.choice(fmt.Sprintf("Rotate to version %d", newest+1),
			fmt.Sprintf("kekceremony rotate --to-version %d", newest+1))
		all = append([]tui.Choice{rotate}, append(all, o.choice("Change the roster", "kekceremony roster"))...)
	} else {
		all = append(all, o.choice("Install: make the first key, and lock the store", "kekceremony install"))
	}
	for i := range all {
		all[i] = opening(st, all[i])
	}
	return append(all, o.choice("Rehearse a whole key life with temporary parts", "kekceremony rehearse"))
}

// lastBundles is how many transcripts the home page has.
const lastBundles = 3

// readings are the status in full, the fleet, and the last transcripts.
func readings(dir string, o *options) []tui.Choice {
	all := []tui.Choice{o.choice("Verify the fleet", "kekceremony verify"),
		o.choice("Show the status in full", "kekceremony status")}
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
