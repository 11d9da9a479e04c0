package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/status"
	"github.com/certautopilot/kekceremony/internal/steps"
)

func statusCommand(o *options) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show lock, versions, envelopes, fleet, last ceremony, and what is due",
		Long: `status reads the store and uses no token. The versions that processes report are
claims; "kekceremony verify" checks them. With --check the exit code is 6 while
anything is due: an unfinished ceremony, a store that lacks one of this console's, versions that are not as the last
ceremony left them, envelopes at another version, a role with too few live
processes, a live process that has trouble or writes another version. --check
also asks the provider for every key, if it needs no PIN or has it in a file.`,
		Args: cobra.NoArgs,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			due, err := showStatus(cmd.Context(), cmd.OutOrStdout(), o, check)
			if err == nil && check && due > 0 {
				err = fmt.Errorf("status: %w", errDue)
			}
			return err
		}),
	}
	cmd.Flags().BoolVar(&check, "check", false, "exit with code 6 while anything is due")
	return cmd
}

// showStatus returns how much is due.
func showStatus(ctx context.Context, w io.Writer, o *options, check bool) (due int, err error) {
	cfg, err := o.readConfig()
	if err != nil {
		return 0, err
	}
	s, err := parts(ctx, cfg, nil, 0)
	if err != nil {
		return 0, err
	}
	defer s.Store.Close()
	site := status.Site{Store: s.Store, Catalogue: s.Catalogue, Live: s.Fleet.Live, Expect: s.Fleet.Expect,
		Bundles: s.Bundles, Resume: steps.Resume}
	lock, lockErr := s.Store.Lock(ctx)
	if check && lockErr == nil && (cfg.Encryption.PINFile != "" || !cfg.Encryption.Settings.OnToken()) {
		p, err := loggedIn(ctx, o, cfg)
		if err != nil {
			return 0, err
		}
		defer p.Close()
		site.Find = func(ctx context.Context, v kek.Version) error {
			_, err := p.Find(ctx, kek.NameOf(lock.Chain, v))
			return err
		}
	}
	st, err := status.Look(ctx, site)
	if err != nil {
		return 0, err
	}
	if o.json {
		return len(st.Due), writeJSON(w, struct {
			status.Status
			Sources []config.Source `json:"sources,omitempty"`
		}{st, cfg.Sources})
	}
	return len(st.Due), writeStatus(w, st, cfg.Sources)
}

// writeStatus is the table for people: a heading, then its rows. Sources are those of values that
// the file does not give.
func writeStatus(w io.Writer, st status.Status, sources []config.Source) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(t, strings.Join(cells, "\t")) }
	row("store", st.Store)
	sourceRows(row, sources)
	if st.Installed {
		row("lock", "provider "+st.Provider+", chain "+st.Chain)
		row("", "founding roster "+st.Roster)
	} else {
		row("lock", "none: not installed")
	}
	heads := heading("versions")
	for _, v := range st.Versions {
		state := v.State
		if v.Version == st.Active {
			state = "active"
		}
		row(heads(), fmt.Sprintf("%d  %-8s  %s  generated %s by ceremony %d",
			v.Version, state, v.Label, v.Created.Format("2006-01-02"), v.Ceremony))
	}
	heads = heading("envelopes")
	for _, p := range st.Envelopes {
		row(heads(), fmt.Sprintf("%d at version %d in %s", p.N, p.Version, p.Field))
	}
	if st.Excluded > 0 {
		row(heads(), fmt.Sprintf("%d of them excluded in the last rotation", st.Excluded))
	}
	heads = heading("fleet")
	for _, p := range st.Fleet {
		row(heads(), processRow(p))
	}
	if st.More {
		row(heads(), "more silent processes")
	}
	for _, m := range st.Missing {
		row(heads(), "missing: only "+m)
	}
	if c := st.Last; c != nil {
		outcome := c.Outcome
		if outcome == "" {
			outcome = "open"
		}
		row("ceremony", fmt.Sprintf("%d  %s, %s, bundle %s", c.Seq, c.Kind, outcome, c.Bundle))
		if c.Final != "" {
			row("", "final digest "+c.Final)
		}
	}
	heads = heading("due")
	for _, d := range st.Due {
		row(heads(), d.Why)
		row(heads(), d.Command)
	}
	if len(st.Due) == 0 {
		row(heads(), "nothing")
	}
	return t.Flush()
}

// sourceRows are the keys that the file does not set.
func sourceRows(row func(...string), sources []config.Source) {
	heads := heading("set by")
	for _, s := range sources {
		row(heads(), s.From+": "+s.Key)
	}
}

// heading is the word before the first row of a group, and nothing after.
func heading(word string) func() string {
	return func() string {
		now := word
		word = ""
		return now
	}
}

func processRow(p status.ProcessStatus) string {
	state := "live  "
	if !p.Live {
		state = "silent"
	}
	line := fmt.Sprintf("%s  %s  writes %s, reports %s, %d s ago",
		state, p.Process, versionOrNothing(p.Writes), cmp.Or(strings.Trim(fmt.Sprint(p.Claims), "[]"), "nothing"), p.Seconds)
	if p.Trouble != "" {
		line += ": " + p.Trouble
	}
	return line
}
