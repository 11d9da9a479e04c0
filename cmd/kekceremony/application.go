package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/keyring"
	_ "github.com/certautopilot/kekceremony/keyring/env" // what a rehearsal can be held with
	_ "github.com/certautopilot/kekceremony/keyring/mongo"
	_ "github.com/certautopilot/kekceremony/keyring/pkcs11"
	_ "github.com/certautopilot/kekceremony/keyring/sqlite"
)

// applicationCommand is one process of a rehearsal's fleet: an application on the keyring, as a
// user's is.
func applicationCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:    "application",
		Hidden: true,
		Args:   noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			cfg, err := o.readConfig()
			if err != nil {
				return err
			}
			if cfg.Rehearsal == nil {
				return &usageError{errors.New("the configuration is no rehearsal's")}
			}
			return readOn(cmd.Context(), o.configPath(), cfg)
		}),
	}
}

// readOn opens records at random until ctx ends.
func readOn(ctx context.Context, path string, cfg config.Config) error {
	report := func(line string) {
		fmt.Fprintf(os.Stderr, "%s kekceremony: application: %s\n", time.Now().UTC().Format(time.RFC3339), line)
	}
	db, err := configuredStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	ring, err := keyring.Open(ctx, keyring.Config{File: path, Role: rehearsal.Role, Report: report})
	// SoftHSM2 fails now and then where several processes open one token directory at once.
	for tries := 1; err != nil && tries < 20 && !hopeless(err) && ctx.Err() == nil; tries++ {
		report(err.Error())
		select {
		case <-ctx.Done():
		case <-time.After(cfg.Fleet.Heartbeat):
		}
		ring, err = keyring.Open(ctx, keyring.Config{File: path, Role: rehearsal.Role, Report: report})
	}
	if err != nil {
		return err
	}
	records, read := records(ctx, db), 0
	tick := time.NewTicker(cfg.Fleet.Heartbeat / 4)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := readOne(ctx, db, ring, rand.IntN(max(records, 1))); err == nil {
			read++
		} else if !errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
			report(err.Error())
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	report(fmt.Sprintf("it opened %d records", read))
	return ring.Close(context.Background())
}

// records is how many there are.
func records(ctx context.Context, db database) (n int) {
	counts, _ := db.Census(ctx, envelope.DefaultCatalogue()) // without it, one record is read
	for _, c := range counts {
		n += c.N
	}
	return n
}

// readOne opens a record and compares it with what was written.
func readOne(ctx context.Context, db database, ring *keyring.Ring, i int) error {
	field, id := rehearsal.Record(i)
	e, err := db.Get(ctx, field, id)
	if err != nil {
		return err
	}
	text, err := ring.Open(ctx, field.String(), id, keyring.Envelope{WrappedDEK: e.WrappedDEK, Nonce: e.Nonce,
		Ciphertext: e.Ciphertext, KEKVersion: int(e.KEKVersion), Provider: e.Provider})
	if err == nil && string(text) != string(rehearsal.Payload(i)) {
		err = fmt.Errorf("record %s of %s has another payload than was written", id, field)
	}
	return err
}
