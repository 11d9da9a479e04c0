package main_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/seedtest"
)

// seed is a database that an application made before there were ceremonies, and a console.
type seed struct {
	*testing.T
	dir, uri string
	id       string // name of the field of an id
	db       seedtest.Database
	n        int // records
}

// pointed is the record of the application's pointer, in collections of the plain names.
const pointed = "kek_versions"

// newSeed makes the database, at versions 1 and 2, of which writers use the second.
func newSeed(t *testing.T, n int, open func(t *testing.T) (uri, id string, db seedtest.Database)) seed {
	t.Helper()
	pkcs11test.Need(t, "ssh-keygen")
	s := seed{T: t, dir: t.TempDir(), n: n}
	s.uri, s.id, s.db = open(t)
	s.write("secrets.env", "")
	for v := 1; v <= 2; v++ {
		s.addKey(v)
	}
	keys := s.keys()
	for i := range n {
		seedtest.Write(t, s.db, keys, i, 1+i/8%2)
	}
	s.db.Put(t, pointed, "active", map[string]any{"in_use": int64(2)})
	s.db.Put(t, "kek_install", "singleton", map[string]any{"kind": "env"})
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "op1", "-f", s.path("op1")).
		CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	public, err := os.ReadFile(s.path("op1.pub"))
	if err != nil {
		t.Fatal(err)
	}
	const spaces = "attend-rehearsal-v1@kekceremony,approve-rehearsal-v1@kekceremony,final-rehearsal-v1@kekceremony"
	s.write("roster", fmt.Sprintf("# quorum: 1\nop1 namespaces=%q %s", spaces, public))
	if err := os.Mkdir(s.path("tr"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write("config.yaml", fmt.Sprintf(`store: %s
transcripts: %s
encryption: {provider: env, env: {secrets_file: %s}}
fleet: {beat: 200ms, live: 2s, expect: {app: 1}}
rehearsal: {}
policy: {destroy_wait: 1s}
keys: [%s]
adopted:
  pointer: {collection: %s, filter: {%s: active}, field: in_use}
%s`, s.uri, s.path("tr"), s.path("secrets.env"), s.path("op1"), pointed, s.id, seedtest.Entries))
	s.write("adopt.yaml", "ceremony: adopt\nroster: "+s.path("roster")+
		"\nprovider: env\ncopies: none\nplanned_end: 2099-01-01\n"+record)
	s.write("rotate.yaml", "ceremony: rotate\ncopies: none\nplanned_end: 2099-01-01\nunproven: none\n"+record)
	s.write("disable.yaml", "ceremony: disable\n"+record)
	s.write("enable.yaml", "ceremony: enable\n"+record)
	s.write("destroy.yaml", "ceremony: destroy\nverdicts: none\nhosts: \"n/a: a test\"\n"+record)
	return s
}

func (s seed) path(name string) string { return filepath.Join(s.dir, name) }

func (s seed) write(name, text string) {
	s.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}

// edit replaces text in a file of the console.
func (s seed) edit(name, old, text string) {
	s.Helper()
	data, err := os.ReadFile(s.path(name))
	if err != nil || !strings.Contains(string(data), old) {
		s.Fatalf("%s has no %q, %v", name, old, err)
	}
	s.write(name, strings.Replace(string(data), old, text, 1))
}

func (s seed) addKey(v int) {
	s.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	data, err := os.ReadFile(s.path("secrets.env"))
	if err != nil {
		s.Fatal(err)
	}
	s.write("secrets.env", fmt.Sprintf("%sCERTAUTOPILOT_ENCRYPTION_ENV_KEK_V%d=%x\n", data, v, key))
}

// keys are those that the hosts have now.
func (s seed) keys() seedtest.Keys {
	s.Helper()
	data, err := os.ReadFile(s.path("secrets.env"))
	if err != nil {
		s.Fatal(err)
	}
	keys := seedtest.Keys{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		v, err := strconv.Atoi(strings.TrimPrefix(name, "CERTAUTOPILOT_ENCRYPTION_ENV_KEK_V"))
		key, hexErr := hex.DecodeString(value)
		if err != nil || hexErr != nil {
			s.Fatalf("secrets.env: %v, %v", err, hexErr)
		}
		keys[v] = key
	}
	return keys
}

// args are those of a command at the console.
func (s seed) args(command string, more ...string) []string {
	args := append([]string{command, "--config", s.path("config.yaml")}, more...)
	if _, err := os.Stat(s.path(command + ".yaml")); err == nil {
		args = append(args, "--ui", "none", "--answers", s.path(command+".yaml"))
	}
	return args
}

func (s seed) must(command string, more ...string) string {
	s.Helper()
	return must(s, s.args(command, more...)...)
}

// refused demands an exit code and a text of the error.
func (s seed) refused(code int, says, command string, more ...string) {
	s.Helper()
	got, out, errs := run(s, s.args(command, more...)...)
	if got != code || !strings.Contains(errs, says) {
		s.Errorf("%s: exit %d, want %d and %q\n%s%s", command, got, code, says, out, errs)
	}
}

// pointer is the version that the application's own pointer names.
func (s seed) pointer() int {
	s.Helper()
	return int(s.db.Get(s, pointed, "active")["in_use"].(int64))
}

// allAt demands that every secret opens, at a version.
func (s seed) allAt(v int) {
	s.Helper()
	keys := s.keys()
	for i := range s.n {
		if got, err := seedtest.Read(s, s.db, keys, i); err != nil || got != v {
			s.Fatalf("record %d: version %d, %v", i, got, err)
		}
	}
}

// agent stands beside the application until the test ends.
func (s seed) agent() {
	s.Helper()
	cmd := program(s, "agent", "--role", "app", "--config", s.path("config.yaml"))
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}

// application follows its own pointer: it seals records again, and reads others, until stop is
// called, which returns the versions that it wrote with.
func (s seed) application(opened func(t *testing.T) seedtest.Database) (stop func() map[int]int) {
	ctx, cancel := context.WithCancel(s.Context())
	wrote := map[int]int{}
	var all sync.WaitGroup
	db := opened(s.T)
	all.Go(func() {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for ; ctx.Err() == nil; <-tick.C {
			v, keys := int(db.Get(s, pointed, "active")["in_use"].(int64)), s.keys()
			if keys[v] == nil {
				s.Errorf("the writers use version %d before this host has its key", v)
				return
			}
			seedtest.Write(s, db, keys, mathrand.IntN(s.n), v)
			wrote[v]++
			if _, err := seedtest.Read(s, db, s.keys(), mathrand.IntN(s.n)); err != nil {
				s.Error(err)
				return
			}
		}
	})
	return func() map[int]int {
		cancel()
		all.Wait()
		return wrote
	}
}

// verified checks all transcripts beside the store.
func (s seed) verified() {
	s.Helper()
	out := must(s, "transcript", "verify", "--chain", s.path("tr"), "--store", s.uri, "--config", s.path("config.yaml"))
	if !strings.Contains(out, "0 envelopes at another version") {
		s.Errorf("%s", out)
	}
}

// text is that of the logs of a kind of ceremony, in order.
func (s seed) text(kind string) (all string) {
	logs, _ := filepath.Glob(s.path("tr/*-" + kind + "/events.jsonl"))
	for _, log := range logs {
		data, _ := os.ReadFile(log)
		all += string(data)
	}
	return all
}

// lines is how many those logs have.
func (s seed) lines(kind string) int { return strings.Count(s.text(kind), "\n") }

// killed runs a command until the log of its ceremony has so many lines, and kills it then. It
// reports whether the command ended before.
func (s seed) killed(lines int, command string, more ...string) (ended bool) {
	s.Helper()
	cmd := program(s, s.args(command, more...)...)
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		close(done)
	}()
	for {
		n := s.lines(command)
		select {
		case <-done:
			return true
		case <-time.After(5 * time.Millisecond):
		}
		if n >= lines {
			cmd.Process.Kill()
			<-done
			return false
		}
	}
}
