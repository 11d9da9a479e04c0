package main_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/seedtest"
)

// lifeKills is how often TestAdoptedLife kills each ceremony at most, and lifeEnds the versions that it disables
// and destroys. make torture has more of both, and more kinds of databases.
var (
	lifeKills = 2
	lifeEnds  = []int{2}
)

// TestAdoptedLife: versions that an application made are rotated away from, disabled and destroyed while
// applications read and write, and each console is killed again and again. Every secret opens at every
// instant, and in the end only the key that is in use is found, on a token by a tool that is not ours.
func TestAdoptedLife(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		s := newSeed(t, 400*min(adoptedFactor, 5), seeds[0].open)
		s.lives(true, s.seedApplications)
		s.hasKeys()
	})
	if len(lifeEnds) == 1 {
		return
	}
	t.Run("mongo", func(t *testing.T) {
		t.Parallel()
		s := newSeed(t, seeds[1].n, seeds[1].open)
		s.lives(false, s.seedApplications)
		s.hasKeys()
	})
	t.Run("token", func(t *testing.T) {
		t.Parallel()
		pkcs11test.Need(t, "pkcs11-tool")
		s := newSeed(t, 400, seeds[0].open)
		s.onToken()
		s.decides()
		for i := range s.n { // so an application with a token writes them
			sealed, err := seedtest.Get(t, s.db, i)
			if err != nil {
				t.Fatal(err)
			}
			sealed.Provider = "pkcs11"
			seedtest.Put(t, s.db, i, sealed)
		}
		s.lives(true, func() func() { return func() {} }) // what was there before cannot use a key made on a token
		listed := pkcs11test.Objects(t, pkcs11test.PIN)
		if strings.Contains(listed, "old kek") || strings.Contains(listed, "new kek") || !strings.Contains(listed, "-v3") {
			t.Errorf("the token has\n%s", listed)
		}
	})
}

// hasKeys demands that the console's file has the keys of versions that were not destroyed, and no others.
func (s seed) hasKeys() {
	s.Helper()
	keys := s.keys()
	for _, v := range lifeEnds {
		if keys[v] != nil {
			s.Errorf("the secrets file has the key of version %d", v)
		}
	}
	if keys[3] == nil {
		s.Error("the secrets file lacks the key of version 3")
	}
}

// lives runs the whole life of the versions that an application made. ring: an application on the keyring
// takes part.
func (s seed) lives(ring bool, applications func() (stop func())) {
	s.Helper()
	stopOthers, stopRing := applications(), func() {}
	killed := s.throughKills("adopt")
	s.agent()
	if ring {
		s.edit("config.yaml", "{app: 1}", "{app: 1, ring: 1}")
		stopRing = s.ring()
	}
	for !strings.Contains(s.must("status"), "writes 2") {
	}
	killed.add(s.throughKills("rotate", "--to-version", "3"))
	for _, kind := range []string{"disable", "destroy"} {
		for _, v := range lifeEnds {
			killed.add(s.throughKills(kind, "--version", strconv.Itoa(v)))
		}
	}
	stopOthers()
	stopRing()
	s.Logf("%d consoles killed, %d within an act", killed.all, killed.acting)
	s.verified()
	for i := range s.n {
		if got, err := seedtest.Get(s, s.db, i); err != nil || got.Version != 3 {
			s.Errorf("record %d: version %d, %v", i, got.Version, err)
		}
	}
	s.refused(0, "version 2 is destroyed", "destroy", "--version", "2")
	s.refused(3, "version 2 is destroyed: no copy of its key is left: a destruction is never undone",
		"enable", "--version", "2")
}

// seedApplications are those that were there before: one reads and writes by its own pointer, and one opens
// every secret in turn.
func (s seed) seedApplications() (stop func()) {
	stopWriter := s.application(func(*testing.T) seedtest.Database { return s.db })
	ctx, cancel := context.WithCancel(s.Context())
	opened, ended := 0, make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for i := 0; ctx.Err() == nil && !s.Failed(); i, _ = (i+1)%s.n, <-tick.C {
			if _, err := seedtest.Read(s, s.db, s.keys(), i); err != nil {
				s.Error(err)
			}
			opened++
		}
	}()
	return func() {
		wrote := stopWriter()
		cancel()
		<-ended
		s.Logf("beside an agent %d payloads opened, written by version: %v", opened, wrote)
		if opened < s.n || wrote[3] == 0 || wrote[1] > 0 {
			s.Errorf("%d payloads opened of %d records, written by version: %v", opened, s.n, wrote)
		}
	}
}

// throughKills runs a ceremony whose console is killed at most lifeKills times, by turns while it begins again and
// some lines after that, until it has ended as done.
func (s seed) throughKills(command string, more ...string) (k kills) {
	s.Helper()
	before := s.text(command)
	for i := range lifeKills {
		further := 1 + rand.IntN(30)
		if i%2 == 1 {
			further = 10 + rand.IntN(8) // a run repeats what people at the console do
		}
		if s.killed(s.lines(command)+further, command, more...) {
			break
		}
		k.all++
		if strings.Contains(strings.TrimPrefix(s.text(command), before), `"kind":"begun"`) {
			k.acting++
		}
	}
	for {
		code, out, errs := run(s, s.args(command, more...)...)
		switch {
		case code == 0 || strings.Contains(errs, "already installed"):
			return k
		case !strings.Contains(errs, "the waiting period"):
			s.Fatalf("%s: exit %d\n%s%s", command, code, out, errs)
		}
	}
}

// kills are how many consoles were killed, and how many of them when they had begun an act.
type kills struct{ all, acting int }

func (k *kills) add(more kills) { k.all, k.acting = k.all+more.all, k.acting+more.acting }
