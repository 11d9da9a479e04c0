package main_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// hosts are a rehearsal's parts with the provider env, as of hosts that each have a file of
// secrets of their own. The console's has every key.
type hosts struct {
	rehearsal.Parts
	t *testing.T
}

// envParts are those of a rehearsal with the provider env and an empty store.
func envParts(t *testing.T) rehearsal.Parts {
	t.Helper()
	parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
	parts, err := rehearsal.Make(t.Context(), parts.Dir, "env", "sqlite:"+parts.Store(),
		func(ctx context.Context) error {
			db, err := sqlite.Create(ctx, parts.Store())
			if err != nil {
				return err
			}
			return db.Close()
		})
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

// newHosts runs the install. A process is live for long here: one that is stopped stays live
// while it is looked at.
func newHosts(t *testing.T) hosts {
	t.Helper()
	parts := envParts(t)
	h := hosts{parts, t}
	h.configure(parts.Config(), "live: 4s", "live: 5m", "beat: 1s", "beat: 200ms",
		fmt.Sprintf("%s: %d", rehearsal.Role, rehearsal.Processes), rehearsal.Role+": 1")
	must(t, unattended(parts, "install")...)
	return h
}

// configure writes the console's configuration with changes to a path.
func (h hosts) configure(path string, oldnew ...string) {
	h.t.Helper()
	text, err := os.ReadFile(h.Config())
	if err == nil {
		err = os.WriteFile(path, []byte(strings.NewReplacer(oldnew...).Replace(string(text))), 0o600)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// secrets is the line of a version in the console's file.
func (h hosts) secrets(version kek.Version) string {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.Dir, "secrets.env"))
	if err != nil {
		h.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, fmt.Sprintf("%s=", env.Variable(version))) {
			return line
		}
	}
	h.t.Fatalf("no key of version %d", version)
	return ""
}

// process is an application on a host, with what its last heartbeat says.
type process struct {
	h       hosts
	cmd     *exec.Cmd
	secrets string // file
}

// start starts an application on a host with these secrets, and waits until it reports.
func (h hosts) start(host, secrets string) process {
	h.t.Helper()
	p := process{h: h, secrets: filepath.Join(h.Dir, host+".env")}
	p.write(secrets)
	config := filepath.Join(h.Dir, host+".yaml")
	h.configure(config, filepath.Join(h.Dir, "secrets.env"), p.secrets)
	p.cmd = program(h.t, "application", "--config", config)
	p.cmd.Stderr = h.t.Output()
	if err := p.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		end(p.cmd)
	})
	p.until(reports)
	return p
}

func (p process) write(secrets string) {
	p.h.t.Helper()
	if err := os.WriteFile(p.secrets, []byte(secrets), 0o600); err != nil {
		p.h.t.Fatal(err)
	}
}

// until waits for a heartbeat, and returns it.
func (p process) until(good func(store.Heartbeat) bool) (b store.Heartbeat) {
	p.h.t.Helper()
	db := openStore(p.h.t, p.h.Parts)
	if !await(func() bool {
		all, err := db.Heartbeats(p.h.t.Context(), time.Time{})
		if err != nil {
			p.h.t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(b store.Heartbeat) bool { return b.PID == p.cmd.Process.Pid && good(b) })
		if i >= 0 {
			b = all[i]
		}
		return i >= 0
	}) {
		p.h.t.Fatal("there is no such heartbeat")
	}
	return b
}

// verify says what kekceremony verify says: its exit code, and its lines without times. Processes
// are called by their hosts.
func (h hosts) verify(of map[string]process, flags ...string) (code int, says string) {
	h.t.Helper()
	code, out, errs := run(h.t, append([]string{"verify", "--config", h.Config()}, flags...)...)
	says = regexp.MustCompile(`, \d+ s ago`).ReplaceAllString(out+errs, "")
	for host, p := range of {
		says = strings.ReplaceAll(says, p.until(reports).Process, host)
	}
	lines := strings.SplitAfter(says, "\n")
	slices.Sort(lines) // processes come by their numbers
	return code, strings.Join(lines, "")
}

func reports(store.Heartbeat) bool { return true }

// TestVerifyOtherKey: a process has another key under the right number. It proves nothing, writes
// nothing, and verify names the cause.
func TestVerifyOtherKey(t *testing.T) {
	t.Parallel()
	h := newHosts(t)
	a := h.start("a", env.Variable(1)+"="+strings.Repeat("ab", 32)+"\n")
	if b := a.until(reports); len(b.Proofs) > 0 || b.Current != 0 || b.Epoch != 1 {
		t.Errorf("its heartbeat is %+v", b)
	}
	code, says := h.verify(map[string]process{"a": a})
	if want := `census  0 envelopes at another version than 1
kekceremony: error: verify version 1: the fleet is not ready: processes without version 1: a
kekceremony: hint: every live process must prove that it holds the version: the line of one that lacks it ends ` +
		`with the cause; start what is missing, give each its key, then run the same command
lacks   a  writes nothing: its key does not open a value that only the right key opens: check canary of version 1: ` +
		`unwrap with CERTAUTOPILOT_ENCRYPTION_ENV_KEK_V1: cipher: message authentication failed
target  version 1
`; code != 3 || says != want {
		t.Errorf("exit %d\n%s", code, says)
	}
	row := regexp.MustCompile(`(?s)live +\S+  writes nothing, reads nothing, seen \d+ s\s+ago,\s+trouble\n` +
		`.*trouble: its key does not open`)
	if out := must(t, "status", "--config", h.Config()); !row.MatchString(out) {
		t.Errorf("status:\n%s", out)
	}
	a.write(h.secrets(1))
	a.until(func(b store.Heartbeat) bool { return len(b.Proofs) == 1 && b.Current == 1 })
	code, says = h.verify(map[string]process{"a": a})
	if want := "census  0 envelopes at another version than 1\nok      a  writes 1\ntarget  version 1\n"; code != 0 ||
		says != want {
		t.Errorf("with the right key: exit %d\n%s", code, says)
	}
}

// rotation begins one to version 2, and waits until that has a key. It is interrupted at the end.
func (h hosts) rotation() {
	h.t.Helper()
	rotate := program(h.t, rotateTo(h.Parts, 2)...)
	rotate.Stderr = h.t.Output()
	if err := rotate.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { end(rotate) })
	db := openStore(h.t, h.Parts)
	if !await(func() bool {
		keks, err := db.KEKs(h.t.Context())
		return err == nil && len(keks) == 2
	}) {
		h.t.Fatal("no version 2")
	}
}

// proves reports whether a heartbeat has proofs of these versions and no other.
func proves(b store.Heartbeat, versions ...kek.Version) bool {
	return slices.Equal(slices.Sorted(maps.Keys(b.Proofs)), versions)
}

// TestVerifyWithoutTarget: a process has no key of the version that a rotation waits for. It
// proves the active version alone, with which it writes on.
func TestVerifyWithoutTarget(t *testing.T) {
	t.Parallel()
	h := newHosts(t)
	a := h.start("a", h.secrets(1))
	h.rotation()
	if b := a.until(func(b store.Heartbeat) bool { return b.Trouble != "" }); !proves(b, 1) || b.Current != 1 {
		t.Errorf("its heartbeat is %+v", b)
	}
	code, says := h.verify(map[string]process{"a": a}, "--target", "2")
	if want := `kekceremony: error: verify version 2: the fleet is not ready: processes without version 2: a
kekceremony: hint: every live process must prove that it holds the version: the line of one that lacks it ends ` +
		`with the cause; start what is missing, give each its key, then run the same command
lacks   a  writes 1: find CERTAUTOPILOT_ENCRYPTION_ENV_KEK_V2: no such key
target  version 2
`; code != 3 || says != want {
		t.Errorf("exit %d\n%s", code, says)
	}
	code, says = h.verify(map[string]process{"a": a})
	if want := `ok      a  writes 1: find CERTAUTOPILOT_ENCRYPTION_ENV_KEK_V2: no such key
target  version 1
`; code != 0 || says != want {
		t.Errorf("of the active version: exit %d\n%s", code, says)
	}
}

// TestVerifyOldPointer: a process is stopped before the writers are switched. What it proved, it
// still holds; it follows the old pointer, and verify says so until it looks again.
func TestVerifyOldPointer(t *testing.T) {
	t.Parallel()
	h := newHosts(t)
	a, b := h.start("a", h.secrets(1)), h.start("b", h.secrets(1))
	both := map[string]process{"a": a, "b": b}
	h.rotation()
	keys := h.secrets(1) + h.secrets(2)
	a.write(keys)
	a.until(func(b store.Heartbeat) bool { return proves(b, 1, 2) })
	h.stop(a.cmd.Process) // the rotation waits for b
	b.write(keys)
	b.until(func(b store.Heartbeat) bool { return b.Epoch == 2 })
	if b := a.until(reports); !proves(b, 1, 2) || b.Current != 1 || b.Epoch != 1 {
		t.Errorf("its heartbeat is %+v", b)
	}
	code, says := h.verify(both)
	if want := `behind  a  writes 1: it does not know yet that version 2 is active
ok      b  writes 2
target  version 2
`; code != 0 || says != want {
		t.Errorf("exit %d\n%s", code, says)
	}
	if err := a.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	a.until(func(b store.Heartbeat) bool { return b.Epoch == 2 && b.Current == 2 })
	code, says = h.verify(both)
	if want := "ok      a  writes 2\nok      b  writes 2\ntarget  version 2\n"; code != 0 || says != want {
		t.Errorf("after a look: exit %d\n%s", code, says)
	}
}

// stop stops a process where it does not lock the database, in which others write.
func (h hosts) stop(p *os.Process) {
	h.t.Helper()
	for {
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			h.t.Fatal(err)
		}
		awaitStop(h.t, p.Pid)
		db, err := sql.Open("sqlite3", "file:"+h.Store()+"?_busy_timeout=0&_txlock=immediate")
		if err != nil {
			h.t.Fatal(err)
		}
		tx, err := db.Begin()
		if err == nil {
			err = tx.Rollback()
		}
		db.Close()
		if err == nil {
			return
		}
		if err := p.Signal(syscall.SIGCONT); err != nil {
			h.t.Fatal(err)
		}
	}
}
