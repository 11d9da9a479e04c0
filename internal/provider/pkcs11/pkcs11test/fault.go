package pkcs11test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// Fault is a fault module in a directory of its own: it passes every call on to
// SoftHSM2, and misbehaves as it is set. testdata/proxy.c lists the modes.
type Fault struct {
	Module string // its path
	t      testing.TB
}

// NewFault makes a fault module that is set to modes, none for a good token.
func NewFault(t testing.TB, modes ...string) *Fault {
	t.Helper()
	Module(t)
	Need(t, "gcc")
	f := &Fault{filepath.Join(t.TempDir(), "proxy.so"), t}
	if err := Build(f.Module); err != nil {
		t.Fatal(err)
	}
	f.Set(modes...)
	t.Cleanup(func() {
		if log, err := os.ReadFile(f.Module + ".log"); err == nil && strings.Contains(string(log), "bad line: ") {
			t.Errorf("the fault module does not know what it was set to:\n%s", log)
		}
	})
	return f
}

// Set has the module misbehave in these modes and no others, from its next call on,
// in every process that has it loaded. Its counters of calls start again.
func (f *Fault) Set(modes ...string) {
	f.t.Helper()
	if err := Configure(f.Module, modes...); err != nil {
		f.t.Fatal(err)
	}
}

// Count is how often the module noted something: "token" or "session" for a key made,
// "login" for an attempt that reached the token, "finalize", "finalize while busy",
// "hang", "wait" and "sleep" for a call that is in such a thing, or was.
func (f *Fault) Count(kind string) int {
	f.t.Helper()
	n, err := Count(f.Module, kind)
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// Await waits until the module has noted something more often than before.
func (f *Fault) Await(kind string, before int) {
	f.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for guard := time.After(4 * time.Minute); f.Count(kind) <= before; {
		select {
		case <-tick.C:
		case <-guard:
			f.t.Errorf("the module never noted another %q", kind)
			return
		}
	}
}

// Count is Fault.Count of the module at a path.
func Count(module, kind string) (n int, err error) {
	log, err := os.ReadFile(module + ".log")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	for line := range strings.Lines(string(log)) {
		if line == kind+"\n" {
			n++
		}
	}
	return n, nil
}

// Configure is Fault.Set of the module at a path. A mode may be empty.
func Configure(module string, modes ...string) error {
	real, err := rehearsal.Module()
	if err != nil {
		return err
	}
	now := time.Now()
	text := fmt.Sprintf("# %d\nmodule %s\n", now.UnixNano(), real)
	for _, m := range modes {
		if m != "" {
			text += m + "\n"
		}
	}
	conf := module + ".conf"
	if err := os.WriteFile(conf+".new", []byte(text), 0o600); err != nil {
		return err
	}
	// The file system's own clock is coarse: two files in a row could look the same.
	if err := os.Chtimes(conf+".new", now, now); err != nil {
		return err
	}
	return os.Rename(conf+".new", conf)
}

// Build writes the fault module to a path. It does nothing before it is configured.
func Build(path string) error {
	module, err := built()
	if err != nil {
		return err
	}
	return os.WriteFile(path, module, 0o700)
}

// built compiles the fault module, once in a process.
var built = sync.OnceValues(func() ([]byte, error) {
	_, here, _, _ := runtime.Caller(0)
	dir, err := os.MkdirTemp("", "kekceremony-fault-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "proxy.so")
	text, err := exec.Command("gcc", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-pthread", "-o", out,
		filepath.Join(filepath.Dir(here), "testdata", "proxy.c"), "-ldl").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("build the fault module: %w\n%s", err, text)
	}
	return os.ReadFile(out)
})
