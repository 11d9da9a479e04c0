package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/audit"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/status"
	"github.com/certautopilot/kekceremony/internal/steps"
)

func verifyCommand(o *options) *cobra.Command {
	var target string
	cmd := &cobra.Command{
		Use:   "verify [--target N]",
		Short: "Show whether every live process has proved that it holds a version: exit 0, 3 or 6",
		Long: `verify opens the version's canary with the configured provider and compares the
proof of every live process with it. Then it compares the store with what the
last ceremony left, and counts what compromised versions exposed, on the
console that has the lists. It changes nothing. Run it after you edit the
module's path or the token's label.

Exit codes: 0: every live process holds the version, and the store is as the
last ceremony left it. 3: a process does not hold it, too few are live, the
store differs from the last ceremony, or the provider does not have the
version's key. 6: envelopes are at another version than the active one; the
server takes writes that ceremonies had it refuse; or envelopes that a
compromised version exposed were not resealed, as far as this console can tell.
2, 75 and 1: nothing was verified, as docs/exit-codes.md says.`,
		Args: noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			var v kek.Version
			if cmd.Flags().Changed("target") { // an empty one was meant to be a version
				var err error
				if v, err = kek.ParseVersion(target); err != nil {
					return &usageError{err}
				}
			}
			return verify(cmd.Context(), cmd.OutOrStdout(), o, v)
		}),
	}
	cmd.Flags().StringVar(&target, "target", "", "version that the fleet must hold (default: the active version)")
	return cmd
}

// verify judges the fleet by version v; 0 is the active one.
func verify(ctx context.Context, w io.Writer, o *options, v kek.Version) error {
	cfg, err := o.readConfig()
	if err != nil {
		return err
	}
	all, err := parts(ctx, cfg, nil, 0)
	if err != nil {
		return err
	}
	defer all.Store.Close()
	s := &engine.Site{Parts: all}
	lock, err := checkLock(ctx, cfg, s.Store)
	if err != nil {
		return err
	}
	s.Chain = lock.Chain
	if v == 0 {
		active, err := s.Store.Active(ctx)
		if err != nil {
			return fmt.Errorf("verify: %w", err)
		}
		v = active.Version
	}
	if s.Provider, err = loggedIn(ctx, o, cfg); err != nil {
		return err
	}
	defer s.Provider.Close()
	t, err := steps.VerifyFleet(ctx, s, v)
	if err != nil {
		return err
	}
	found, err := leftBehind(ctx, s)
	if err != nil {
		return err
	}
	if o.json {
		err = writeJSON(w, struct {
			fleet.Table
			behind
		}{t, found})
	} else {
		err = errors.Join(writeFleet(w, t), found.write(w))
	}
	if err != nil {
		return err
	}
	if why := t.Lacking().Why; why != "" {
		return fmt.Errorf("verify version %d: %w: %s", v, steps.ErrNotReady, why)
	}
	return found.err()
}

// behind is how a store is otherwise than the last ceremony left it.
type behind struct {
	Differences []string               `json:"differences,omitempty"`
	Fence       []string               `json:"fence,omitempty"`
	Census      *audit.Census          `json:"census,omitempty"` // nil: a ceremony is open
	Exposed     []status.ExposedStatus `json:"exposed,omitempty"`
}

// leftBehind compares the store with its closed ceremonies. While one is open, nothing is.
func leftBehind(ctx context.Context, s *engine.Site) (b behind, err error) {
	all, err := s.Store.Ceremonies(ctx)
	if err != nil {
		return b, err
	}
	closed, err := history.Closed(ctx, s.Store, all)
	if err != nil || len(closed) < len(all) {
		return b, err
	}
	h, err := history.Read(ctx, s.Store, closed)
	if err != nil {
		return b, err
	}
	found, err := audit.LeftBehind(ctx, s.Store, s.Catalogue, h)
	if err != nil {
		return b, err
	}
	for _, d := range found.Differences {
		b.Differences = append(b.Differences, d.Error())
	}
	for _, d := range found.Fence {
		b.Fence = append(b.Fence, d.Error())
	}
	b.Census = &found.Census
	b.Exposed, err = status.Exposures(ctx, s.Store, s.Catalogue, s.Bundles, h)
	return b, err
}

func (b behind) write(w io.Writer) error {
	var lines []string
	for _, d := range b.Differences {
		lines = append(lines, "differs "+d)
	}
	for _, d := range b.Fence {
		lines = append(lines, "differs "+d)
	}
	if b.Census != nil {
		lines = append(lines, "census  "+b.Census.String())
	}
	for _, e := range b.Exposed {
		lines = append(lines, "exposed "+e.String())
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func (b behind) err() error {
	switch {
	case len(b.Differences) > 0:
		return fmt.Errorf("verify: %s: %w", b.Differences[0], history.ErrVersions)
	case b.Census != nil && b.Census.Due > 0:
		return fmt.Errorf("verify: %s: %w", b.Census, errDue)
	case len(b.Fence) > 0:
		return fmt.Errorf("verify: %s: %w", b.Fence[0], errDue)
	}
	if i := slices.IndexFunc(b.Exposed, status.ExposedStatus.IsDue); i >= 0 {
		return fmt.Errorf("verify: %s: %w", b.Exposed[i], errDue)
	}
	return nil
}

func writeFleet(w io.Writer, t fleet.Table) error {
	target := fmt.Sprintf("target  version %d", t.Target)
	if t.Unmade {
		target += ", which no ceremony made yet"
	}
	if _, err := fmt.Fprintln(w, target); err != nil {
		return err
	}
	for _, p := range t.Processes {
		state := "ok    "
		switch {
		case p.Silent:
			state = "silent"
		case !p.Has:
			state = "lacks "
		case p.Behind:
			state = "behind"
		}
		line := fmt.Sprintf("%s  %s  writes %s, %.0f s ago", state, p.Name, versionOrNothing(p.Current), p.Age.Seconds())
		if p.Trouble != "" {
			line += ": " + p.Trouble
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	for _, m := range t.Missing {
		if _, err := fmt.Fprintln(w, "missing only", m); err != nil {
			return err
		}
	}
	return nil
}

// versionOrNothing is what a process writes with.
func versionOrNothing(v kek.Version) string {
	if v == 0 {
		return "nothing"
	}
	return v.String()
}
