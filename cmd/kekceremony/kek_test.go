package main_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// recordsCommand has the test binary be an application for a moment, in a process of its own:
// records write CONFIG N [VERSION], records read CONFIG N VERSION. Or it edits a store behind
// everybody's back: records retire CONFIG VERSION.
const recordsCommand = "records"

func recordsMain(args []string) error {
	ctx := context.Background()
	cfg, err := config.Read(args[1], env.Config{}, pkcs11.Config{})
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	db, err := sqlite.Open(ctx, cfg.Store[len(config.SQLite):])
	if err != nil {
		return err
	}
	defer db.Close()
	if args[0] == "retire" {
		return db.MoveKEK(ctx, kek.Version(n), store.Live, store.Retired)
	}
	lock, err := db.Lock(ctx)
	if err != nil {
		return err
	}
	active, err := db.Active(ctx)
	if err != nil {
		return err
	}
	if len(args) > 3 {
		if active.Version, err = kek.ParseVersion(args[3]); err != nil {
			return err
		}
	}
	p, err := cfg.Encryption.Settings.Open()
	if err != nil {
		return err
	}
	defer p.Close()
	if err := (login.Login{PIN: login.PIN{File: cfg.Encryption.PINFile}}).Into(ctx, p); err != nil {
		return err
	}
	a := rehearsal.Application{Records: db, Provider: p, Chain: lock.Chain, Active: active.Version}
	if args[0] == "write" {
		return a.Write(ctx, n)
	}
	return readAll(ctx, a, n)
}

// readAll demands that every record decrypts, and is at the active version.
func readAll(ctx context.Context, a rehearsal.Application, n int) (all error) {
	for i := range n {
		if v, err := a.Read(ctx, i); err != nil || v != a.Active {
			all = errors.Join(all, fmt.Errorf("record %d: version %d, %w", i, v, err))
		}
	}
	return all
}
