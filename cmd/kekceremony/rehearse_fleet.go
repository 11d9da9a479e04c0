package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/status"
	"github.com/certautopilot/kekceremony/internal/steps"
)

// crew is the applications of a rehearsal.
type crew struct {
	processes []*exec.Cmd
	gone      chan error // an application that ended before it was told to
	ended     sync.WaitGroup
	stop      context.CancelFunc
}

// startFleet starts the applications. They end with this process, however it ends.
func (r *rehearsed) startFleet(ctx context.Context) (*crew, error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	c := &crew{gone: make(chan error, rehearsal.Processes), stop: stop}
	for i := range rehearsal.Processes {
		path := filepath.Join(r.dir, fmt.Sprintf("application-%d.log", i+1))
		log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, errors.Join(err, c.end())
		}
		a := command(ctx, "application", "--config", r.parts.Config())
		a.Stdout, a.Stderr = log, log
		// Of their own group: a key typed at the wizard is not theirs.
		a.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
		err = a.Start()
		log.Close()
		if err != nil {
			return nil, errors.Join(err, c.end())
		}
		c.processes = append(c.processes, a)
		c.ended.Go(func() {
			if err := a.Wait(); ctx.Err() == nil {
				c.gone <- fmt.Errorf("an application of the rehearsal ended, see %s: %w", path, err)
			}
		})
	}
	return c, nil
}

// withFleet runs a command that was chosen on the home page. A ceremony of a rehearsal that rehearse made waits for
// the applications, which nobody else starts there: where too few run, they run with the command.
func withFleet(cmd *cobra.Command, o *options, c config.Config, st status.Status, args []string,
	run func() error) error {
	parts, made := o.rehearsalOf(c)
	if _, opens := steps.Named(args[0]); !opens || !made || !st.Installed || len(st.Missing) == 0 {
		return run()
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "kekceremony: rehearsal: starting %d applications; they end with this command\n",
		rehearsal.Processes)
	r := &rehearsed{options: o, dir: parts.Dir, parts: parts}
	fleet, err := r.startFleet(cmd.Context())
	if err != nil {
		return err
	}
	if err := r.awaitHeartbeats(cmd.Context(), fleet); err != nil { // the ceremony then waits for them, and says so
		fmt.Fprintln(cmd.ErrOrStderr(), "kekceremony: rehearsal:", printable.Text(err.Error()))
	}
	return errors.Join(run(), fleet.end())
}

// end stops the applications, and waits until they have.
func (c *crew) end() error {
	c.stop()
	c.ended.Wait()
	select {
	case err := <-c.gone:
		return err
	default:
		return nil
	}
}

// awaitHeartbeats waits until every application has its token open: SoftHSM2 fails now and
// then where several processes open one token directory at once.
func (r *rehearsed) awaitHeartbeats(ctx context.Context, c *crew) error {
	cfg, err := r.readConfig()
	if err != nil {
		return err
	}
	db, err := configuredStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		heartbeats, err := db.Heartbeats(ctx, time.Time{})
		if err != nil {
			return err
		}
		running := 0
		for _, b := range heartbeats {
			if slices.ContainsFunc(c.processes, func(a *exec.Cmd) bool { return a.Process.Pid == b.PID }) && !b.Stopped {
				running++
			}
		}
		if running >= rehearsal.Processes {
			return nil
		}
		select {
		case <-ctx.Done():
			return engine.ErrInterrupted
		case err := <-c.gone:
			return err
		case <-tick.C:
		}
	}
}
