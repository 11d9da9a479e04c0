package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// database is a store that an application also keeps its records in.
type database interface {
	store.Store
	rehearsal.Records
}

// configuredStore opens the store of a configuration. It refuses one whose active version is not
// the one that the environment names.
func configuredStore(ctx context.Context, c config.Config) (database, error) {
	db, err := openStore(ctx, c.Store)
	if err != nil {
		return nil, err
	}
	db.Under(c.Adopted.Prefix())
	if err := c.CheckPointer(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// openStore opens a store by its name.
func openStore(ctx context.Context, name string) (database, error) {
	if path, ok := strings.CutPrefix(name, config.SQLite); ok {
		return sqlite.Open(ctx, path)
	}
	return mongo.Open(ctx, name)
}

// openRecords opens a store to read an application's records, and changes nothing in it.
func openRecords(ctx context.Context, name string) (database, error) {
	if path, ok := strings.CutPrefix(name, config.SQLite); ok {
		return sqlite.OpenReader(ctx, path)
	}
	return mongo.Open(ctx, name)
}

// createStore makes a rehearsal's store, which must not be there yet.
func createStore(ctx context.Context, name string) error {
	var db database
	var err error
	if path, ok := strings.CutPrefix(name, config.SQLite); ok {
		db, err = sqlite.Create(ctx, path)
	} else {
		db, err = mongo.Create(ctx, name)
	}
	if err != nil {
		return err
	}
	return db.Close()
}

// checkLock refuses a configuration that disagrees with the store's lock, before
// any token is touched.
func checkLock(ctx context.Context, cfg config.Config, s store.Store) (store.Lock, error) {
	lock, err := s.Lock(ctx)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: %w", steps.ErrNotInstalled, err)
	}
	if err != nil {
		return lock, err
	}
	return lock, lock.Matches(cfg.Encryption.Provider, kek.Chain(cfg.Chain))
}
