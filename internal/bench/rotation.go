package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// rotated is one rotation, run by the real program with real parts.
type rotated struct {
	n        int
	took     time.Duration // of the re-wrap step
	peak     int           // resident memory of the process, in KiB
	workers  string
	rawToken float64 // re-wraps/s of the raw loop on the same token, before and after
	rawIdle  float64 // the same in a process with a second, idle thread
	rawStore float64 // updates/s of the raw loop on the same file
}

func (r rotated) rate() float64 { return float64(r.n) / r.took.Seconds() }

// share is the rate as a part of the slower raw loop's.
func (r rotated) share() float64 { return r.rate() / min(r.rawToken, r.rawStore) }

// rotation installs, writes n records, rotates with one process of a fleet, and
// runs the raw loops on the same token and the same file.
func (l lab) rotation(ctx context.Context, n int) (rotated, error) {
	r := rotated{n: n}
	parts, err := l.installed(ctx, fmt.Sprint(n))
	if err != nil {
		return r, err
	}
	if err := write(ctx, parts, n); err != nil {
		return r, err
	}
	before, err := l.rawLoop(ctx, n)
	if err != nil {
		return r, err
	}
	agent := exec.CommandContext(ctx, l.binary, "agent", "--role", rehearsal.Role, "--config", parts.Config())
	if err := agent.Start(); err != nil {
		return r, err
	}
	err = l.rotate(ctx, parts, &r)
	_ = agent.Process.Signal(os.Interrupt)
	if err := errors.Join(err, agent.Wait()); err != nil {
		return r, err
	}
	after, err := l.rawLoop(ctx, n)
	if err != nil {
		return r, err
	}
	r.rawToken = (before + after) / 2
	if r.rawIdle, err = l.rawLoop(ctx, n, "idle"); err != nil {
		return r, err
	}
	r.rawStore, err = rawUpdates(ctx, parts.Store(), n)
	return r, err
}

// installed makes a rehearsal's parts for one process and runs the install.
func (l lab) installed(ctx context.Context, name string) (rehearsal.Parts, error) {
	parts := rehearsal.Parts{Dir: filepath.Join(l.dir, name)}
	parts, err := rehearsal.Make(ctx, parts.Dir, "pkcs11", "sqlite:"+parts.Store(), func(ctx context.Context) error {
		db, err := sqlite.Create(ctx, parts.Store())
		if err != nil {
			return err
		}
		return db.Close()
	})
	if err != nil {
		return parts, err
	}
	parts.Use()
	expected := fmt.Sprintf("%s: %d", rehearsal.Role, rehearsal.Processes)
	if err := edit(parts.Config(), expected, rehearsal.Role+": 1"); err != nil {
		return parts, err
	}
	return parts, l.run(ctx, parts, nil, "install")
}

func edit(path, old, text string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strings.Replace(string(data), old, text, 1)), 0o600)
}

// run runs a ceremony unattended; r gets its peak memory.
func (l lab) run(ctx context.Context, parts rehearsal.Parts, r *rotated, args ...string) error {
	cmd := exec.CommandContext(ctx, l.binary,
		append(args, "--ui", "none", "--config", parts.Config(), "--answers", parts.Answers(args[0]))...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%v: %w\n%s", args, err, said.String())
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && r != nil {
		r.peak = int(usage.Maxrss)
	}
	return nil
}

func (l lab) rotate(ctx context.Context, parts rehearsal.Parts, r *rotated, flags ...string) error {
	if err := l.run(ctx, parts, r, append([]string{"rotate", "--to-version", "2"}, flags...)...); err != nil {
		return err
	}
	logs, err := filepath.Glob(filepath.Join(parts.Bundles(), "*-rotate", "events.jsonl"))
	if err != nil || len(logs) != 1 {
		return fmt.Errorf("logs %v: %w", logs, err)
	}
	data, err := os.ReadFile(logs[0])
	if err != nil {
		return err
	}
	for line := range bytes.Lines(data) {
		var e struct {
			Kind, Step string
			Facts      map[string]string
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		if e.Kind == "done" && e.Step == "re-wrap" {
			r.workers = e.Facts["workers"]
			r.took, err = time.ParseDuration(e.Facts["took"])
			return err
		}
	}
	return errors.New("the log tells of no re-wrap")
}

// write encrypts n records, as an application does.
func write(ctx context.Context, parts rehearsal.Parts, n int) error {
	db, err := sqlite.Open(ctx, parts.Store())
	if err != nil {
		return err
	}
	defer db.Close()
	lock, err := db.Lock(ctx)
	if err != nil {
		return err
	}
	module, err := rehearsal.Module()
	if err != nil {
		return err
	}
	p, err := opened(ctx, parts, pkcs11.Config{ModulePath: module, TokenLabel: rehearsal.TokenLabel})
	if err != nil {
		return err
	}
	defer p.Close()
	return rehearsal.Application{Records: db, Provider: p, Chain: lock.Chain, Active: 1}.Write(ctx, n)
}

// opened is a provider that is logged in.
func opened(ctx context.Context, parts rehearsal.Parts, cfg pkcs11.Config) (provider.Provider, error) {
	p, err := pkcs11.Open(cfg)
	if err != nil {
		return nil, err
	}
	if err := (login.Login{PIN: login.PIN{File: filepath.Join(parts.Dir, "pin")}}).Into(ctx, p); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// rawLoop runs the loop in C on the token in use and returns re-wraps per second;
// beside is "idle" for a process with a second thread that does nothing.
func (l lab) rawLoop(ctx context.Context, n int, beside ...string) (float64, error) {
	rounds := min(n, 100_000)
	module, err := rehearsal.Module()
	if err != nil {
		return 0, err
	}
	args := append([]string{module, rehearsal.TokenLabel, rehearsal.PIN, strconv.Itoa(rounds)}, beside...)
	out, err := exec.CommandContext(ctx, l.loop, args...).Output()
	if err != nil {
		return 0, fmt.Errorf("raw loop: %w", err)
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return float64(rounds) / seconds, err
}
