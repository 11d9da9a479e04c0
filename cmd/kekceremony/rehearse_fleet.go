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

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
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
