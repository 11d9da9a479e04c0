package main

import (
	"context"
	"errors"
	"fmt"
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

// atHome shows the home page and runs the command that is chosen there.
func atHome(cmd *cobra.Command, o *options, terminal *term.Terminal, begin func() *cobra.Command) error {
	cfg, err := o.readConfig()
	if err != nil {
		return err
	}
	args, err := tui.Home(cmd.Context(), terminal, func(ctx context.Context) (tui.Front, error) {
		st, err := look(ctx, o, cfg, false)
		return front(st, cfg), err
	})
	if err != nil || args == nil {
		return err
	}
	chosen := begin()
	chosen.SetArgs(append(args, o.given()...))
	return chosen.ExecuteContext(cmd.Context())
}

// given are the flags that the command which is chosen gets as well.
func (o *options) given() (args []string) {
	for flag, value := range map[string]string{"config": o.config, "store": o.store} {
		if value != "" {
			args = append(args, "--"+flag, value)
		}
	}
	for _, key := range o.keys {
		args = append(args, "--key", key)
	}
	return append(args, "--ui", o.ui)
}

// homeWidth is the width of the status on the home page, in columns.
const homeWidth = 76

// front is the home page of a status: what is due first, then what people may begin, then what they
// may read.
func front(st status.Status, cfg config.Config) tui.Front {
	p := page{width: homeWidth}
	p.standing(st)
	f := tui.Front{Store: printable.Line(st.Store), Heading: headingWidth,
		Lines: strings.Split(strings.TrimRight(p.String(), "\n"), "\n")}
	var due []tui.Choice
	for _, d := range st.Due {
		due = append(due, choice(d.Why, d.Command))
	}
	if len(due) > 0 {
		f.Sections = append(f.Sections, tui.Section{Title: "Due", Choices: due})
	}
	f.Sections = append(f.Sections, tui.Section{Title: "Ceremonies", Choices: ceremonies(st)},
		tui.Section{Title: "Look, read and verify", Choices: readings(cfg.Transcripts)})
	return f
}

// choice is one that runs a command as it is shown, unless words of it are for people to fill in.
func choice(says, command string) tui.Choice {
	c := tui.Choice{Says: says, Command: command}
	words := strings.Fields(command)
	if len(words) > 1 && words[0] == "kekceremony" && !strings.ContainsAny(command, ",<>[]") &&
		!slices.ContainsFunc(words, func(w string) bool { return w != strings.ToLower(w) }) {
		c.Args = words[1:]
	}
	return c
}

// ceremonies are those that people may want. Whether one may begin, it says itself.
func ceremonies(st status.Status) (all []tui.Choice) {
	newest := kek.Version(0)
	for _, v := range st.Versions {
		newest = max(newest, v.Version)
		if v.Ready {
			all = append(all, choice(fmt.Sprintf("Disable version %d", v.Version),
				fmt.Sprintf("kekceremony disable --version %d", v.Version)))
		}
	}
	if st.Installed {
		rotate := choice(fmt.Sprintf("Rotate to version %d", newest+1),
			fmt.Sprintf("kekceremony rotate --to-version %d", newest+1))
		all = append([]tui.Choice{rotate}, append(all, choice("Change the roster", "kekceremony roster"))...)
	} else {
		all = append(all, choice("Install: make the first key, and lock the store", "kekceremony install"))
	}
	return append(all, choice("Rehearse a whole key life with temporary parts", "kekceremony rehearse"))
}

// lastBundles is how many transcripts the home page has.
const lastBundles = 3

// readings are the status in full, the fleet, and the last transcripts.
func readings(dir string) []tui.Choice {
	all := []tui.Choice{choice("Verify the fleet", "kekceremony verify"),
		choice("Show the status in full", "kekceremony status")}
	entries, _ := os.ReadDir(dir) // one that cannot be read has none
	slices.Reverse(entries)
	for _, e := range entries {
		if len(all) == lastBundles*2+2 {
			break
		}
		if !history.BundleName.MatchString(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		for _, verb := range []string{"show", "verify"} {
			all = append(all, tui.Choice{Says: strings.ToUpper(verb[:1]) + verb[1:] + " " + e.Name(),
				Command: "kekceremony transcript " + verb + " " + printable.Line(path), Args: []string{"transcript", verb, path}})
		}
	}
	return all
}
