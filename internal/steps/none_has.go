package steps

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// ErrStillHeld: people must take a key out of the configuration of more hosts. The same command continues.
var ErrStillHeld = errors.New("processes still have the key")

// noneHasIt waits until each live process has looked for the key again, and names those that have it. The page has who
// reported since, and says that the key is gone here.
func noneHasIt(ctx context.Context, s *Site, v kek.Version, d Desk) error {
	w, err := watchFleet(ctx, s, s.History.Versions().Active)
	if err != nil {
		return err
	}
	defer w.close()
	w.rule.Dropped = v
	since, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	for over := time.Now().Add(s.Fleet.Live); time.Now().Before(over); {
		t, err := w.look(ctx)
		if err != nil {
			return err
		}
		showReports(d, t, since, since.Add(s.Fleet.Live))
		if err := wait(ctx, min(s.Fleet.Heartbeat, time.Second, time.Until(over))); err != nil {
			return err
		}
	}
	names, err := holders(ctx, s, v)
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("version %d: %s: %w", v, names.Text(), ErrStillHeld)
	}
	return err
}

// showReports shows which live processes reported since a time, and what a stop leaves.
func showReports(d Desk, t fleet.Table, since, until time.Time) {
	var due printable.List
	for i := range t.Processes {
		p := &t.Processes[i]
		if p.Silent || p.Age <= t.Now.Sub(since) {
			continue
		}
		due = append(due, p.Name)
		if p.Trouble == "" {
			p.Trouble = "it has not reported since the key was destroyed here"
		}
	}
	waiting := "until " + until.UTC().Format("15:04:05 UTC") + ", so that every process looks for the key again"
	if len(due) > 0 {
		waiting += ": " + due.Brief()
	}
	d.Show(func(v *View) {
		v.Fleet, v.Waiting = &t, waiting
		v.Remedy = "A stop now leaves the key destroyed here, and the ceremony unfinished: the same command continues."
	})
}
