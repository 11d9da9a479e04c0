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
	"time"

	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// installed makes a rehearsal's parts for one process and runs the install.
func (l lab) installed(ctx context.Context, provider, name string) (rehearsal.Parts, error) {
	path := rehearsal.Parts{Dir: filepath.Join(l.dir, name)}.Store()
	return l.installedOn(ctx, provider, name, "sqlite:"+path, func(ctx context.Context) error {
		db, err := sqlite.Create(ctx, path)
		if err != nil {
			return err
		}
		return db.Close()
	})
}

// installedOn is installed on a store that create makes.
func (l lab) installedOn(ctx context.Context, provider, name, uri string, create func(context.Context) error) (
	rehearsal.Parts, error) {
	parts, err := rehearsal.Make(ctx, filepath.Join(l.dir, name), provider, uri, create)
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

// run runs a ceremony unattended; r gets what it used.
func (l lab) run(ctx context.Context, parts rehearsal.Parts, r *rotated, args ...string) error {
	cmd := exec.CommandContext(ctx, l.binary,
		append(args, "--ui", "none", "--config", parts.Config(), "--answers", parts.Answers(args[0]))...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return err
	}
	u := watch(cmd.Process.Pid)
	err := cmd.Wait()
	u.end()
	if err != nil {
		return fmt.Errorf("%v: %w\n%s", args, err, said.String())
	}
	if r != nil {
		r.usage = u
	}
	return nil
}

// rotate returns how long the re-wrap step took.
func (l lab) rotate(ctx context.Context, parts rehearsal.Parts, r *rotated, to int) (time.Duration, error) {
	if err := l.run(ctx, parts, r, "rotate", "--to-version", strconv.Itoa(to)); err != nil {
		return 0, err
	}
	return rewrapped(parts, r)
}

// rewrapped is how long the re-wrap of the last rotation took; r gets what was used.
func rewrapped(parts rehearsal.Parts, r *rotated) (time.Duration, error) {
	logs, err := filepath.Glob(filepath.Join(parts.Bundles(), "*-rotate", "events.jsonl"))
	if err != nil || len(logs) == 0 {
		return 0, fmt.Errorf("logs %v: %w", logs, err)
	}
	data, err := os.ReadFile(logs[len(logs)-1]) // their names begin with the time
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(data) {
		var e struct {
			Kind, Step string
			Time       time.Time
			Facts      map[string]string
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return 0, err
		}
		if e.Kind == "done" && e.Step == "re-wrap" {
			took, err := time.ParseDuration(e.Facts["took"])
			r.workers = e.Facts["workers"]
			r.used(e.Time, took)
			return took, err
		}
	}
	return 0, errors.New("the log has no re-wrap")
}

// write encrypts n records, as an application does.
func write(ctx context.Context, parts rehearsal.Parts, kind string, n int) error {
	db, err := sqlite.Open(ctx, parts.Store())
	if err != nil {
		return err
	}
	defer db.Close()
	return writeTo(ctx, db, parts, kind, n)
}

// records are a store's, with the lock that ceremonies left there.
type records interface {
	rehearsal.Records
	Lock(context.Context) (store.Lock, error)
}

func writeTo(ctx context.Context, db records, parts rehearsal.Parts, kind string, n int) error {
	lock, err := db.Lock(ctx)
	if err != nil {
		return err
	}
	p, err := openedKind(ctx, parts, kind)
	if err != nil {
		return err
	}
	defer p.Close()
	return rehearsal.Application{Records: db, Provider: p, Chain: lock.Chain, Active: 1}.Write(ctx, n)
}

func openedKind(ctx context.Context, parts rehearsal.Parts, kind string) (provider.Provider, error) {
	if kind == "env" {
		return env.Open(env.Config{SecretsFile: filepath.Join(parts.Dir, "secrets.env")}, nil)
	}
	module, err := rehearsal.Module()
	if err != nil {
		return nil, err
	}
	return opened(ctx, parts, pkcs11.Config{ModulePath: module, TokenLabel: rehearsal.TokenLabel})
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
