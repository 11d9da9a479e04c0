package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/seedtest"
	"github.com/certautopilot/kekceremony/keyring"
	_ "github.com/certautopilot/kekceremony/keyring/env"
	_ "github.com/certautopilot/kekceremony/keyring/pkcs11"
	_ "github.com/certautopilot/kekceremony/keyring/sqlite"
)

// ringCommand has the test binary be an application on the package keyring, in a process of its own:
// ring CONFIG DATABASE N PACE. It opens every one of N secrets, again and again, and seals some again, until its
// input ends. Then it prints how many it opened and sealed. One that it cannot open is its last: it stays in the
// fleet, so that no ceremony waits for it in vain, and ends with an error.
const ringCommand = "ring"

// alone is what an application has in place of a test.
type alone struct{ testing.TB }

func (alone) Helper()                        {}
func (alone) Cleanup(func())                 {}
func (alone) Fatal(args ...any)              { log.Fatal(args...) }
func (alone) Fatalf(form string, all ...any) { log.Fatalf(form, all...) }

func ringMain(args []string) error {
	n, err := strconv.Atoi(args[2])
	if err == nil {
		pace, err = time.ParseDuration(args[3])
	}
	if err != nil {
		return err
	}
	report := func(line string) { fmt.Fprintln(os.Stderr, line) }
	r, err := keyring.Open(context.Background(), keyring.Config{File: args[0], Role: ringCommand, Report: report})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	a := ringApplication{r, seedtest.NewSQLite(alone{}, args[1])}
	opened, sealed, err := a.work(ctx, n)
	<-ctx.Done()
	fmt.Println(opened, sealed)
	return errors.Join(err, r.Close(context.Background()))
}

type ringApplication struct {
	*keyring.Ring
	db seedtest.Database
}

// work opens each secret in turn, and seals one of sixteen again.
func (a ringApplication) work(until context.Context, n int) (opened, sealed int, err error) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for i := 0; until.Err() == nil; i, _ = (i+1)%n, <-tick.C {
		if err := a.open(i); err != nil {
			return opened, sealed, err
		}
		opened++
		if rand.IntN(16) > 0 {
			continue
		}
		switch err := a.seal(rand.IntN(n)); {
		case err == nil:
			sealed++
		case !errors.Is(err, keyring.ErrLease): // which seals nothing, and loses nothing
			return opened, sealed, err
		}
	}
	return opened, sealed, nil
}

func (a ringApplication) open(i int) error {
	s, err := seedtest.Get(alone{}, a.db, i)
	if err != nil {
		return err
	}
	place, id := seedtest.Place(i)
	e := keyring.Envelope{WrappedDEK: s.WrappedDEK, Nonce: s.Nonce, Ciphertext: s.Ciphertext, KEKVersion: s.Version,
		Provider: s.Provider}
	text, err := a.Open(context.Background(), place, id, e)
	if err == nil && string(text) != seedtest.Payload(i) {
		err = fmt.Errorf("record %d: payload %q", i, text)
	}
	return err
}

func (a ringApplication) seal(i int) error {
	place, id := seedtest.Place(i)
	e, err := a.Seal(context.Background(), place, id, []byte(seedtest.Payload(i)))
	if err == nil {
		seedtest.Put(alone{}, a.db, i, seedtest.Sealed{WrappedDEK: e.WrappedDEK, Nonce: e.Nonce, Ciphertext: e.Ciphertext,
			Version: e.KEKVersion, Provider: e.Provider})
	}
	return err
}

// ring starts an application on the keyring, which works until stop is called.
func (s seed) ring() (stop func()) {
	s.Helper()
	self, err := os.Executable()
	if err != nil {
		s.Fatal(err)
	}
	cmd := exec.Command(self, ringCommand, s.path("config.yaml"), strings.TrimPrefix(s.uri, "sqlite:"), strconv.Itoa(s.n),
		pace.String())
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = pkcs11test.Environ(s), &out, s.Output()
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { in.Close() })
	return func() {
		s.Helper()
		in.Close()
		err := cmd.Wait()
		var opened, sealed int
		_, scanErr := fmt.Sscan(out.String(), &opened, &sealed)
		if err != nil || scanErr != nil || opened < s.n || sealed == 0 {
			s.Errorf("the application on the keyring: %v, %v: %d opened of %d, %d sealed", err, scanErr, opened, s.n, sealed)
		}
		s.Logf("on the keyring %d payloads opened, %d sealed", opened, sealed)
	}
}
