package main_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	bin "encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// forms are how a secret may lie in memory: as it is, reversed, and text in UTF-16 and
// UTF-32 of both byte orders.
func forms(s []byte, text bool) map[string][]byte {
	back := slices.Clone(s)
	slices.Reverse(back)
	all := map[string][]byte{"as it is": s, "reversed": back}
	if !text {
		return all
	}
	for name, order := range map[string]bin.AppendByteOrder{"LE": bin.LittleEndian, "BE": bin.BigEndian} {
		var wide, wider []byte
		for _, u := range utf16.Encode([]rune(string(s))) {
			wide = order.AppendUint16(wide, u)
			wider = order.AppendUint32(wider, uint32(u))
		}
		all["UTF-16"+name], all["UTF-32"+name] = wide, wider
	}
	return all
}

// region is a writable map of a process. What the token library keeps is its own: the
// heap of the C library, its arenas, and the module's data. Nothing of ours is there:
// our own C code allocates nothing.
type region struct {
	from, to uint64
	name     string
}

var mapped = regexp.MustCompile(`^([0-9a-f]+)-([0-9a-f]+) rw\S* \S+ \S+ \S+ *(.*)$`)

func regions(t *testing.T, pid int) (all []region) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		if m := mapped.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			from, _ := strconv.ParseUint(m[1], 16, 64) // the pattern is hex
			to, _ := strconv.ParseUint(m[2], 16, 64)
			all = append(all, region{from, to, m[3]})
		}
	}
	return all
}

// library reports whether a region is the token library's: the C heap, an arena of it
// (malloc aligns them at 64 MiB), or a loaded file's data. Arenas lie where the kernel
// puts what it is given no place for: near the top of the address space. Go puts its
// heap, as aligned, anywhere below 1<<46 on amd64, below 1<<47 elsewhere.
func (r region) library() bool {
	const arena = 64 << 20
	top := uint64(1) << 47
	if runtime.GOARCH == "amd64" {
		top = 1 << 46
	}
	return r.name == "[heap]" || strings.Contains(r.name, "/lib/") || strings.Contains(r.name, ".so") ||
		r.name == "" && r.from%arena == 0 && r.from >= top
}

// found lists where in a process a secret is. Of a keeper, the token library's own
// pages do not count.
func found(t *testing.T, pid int, keeper, text bool, secrets ...[]byte) (where []string) {
	t.Helper()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if errors.Is(err, os.ErrPermission) {
		pkcs11test.Missing(t, "root, to read another process's memory; the right to")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	for _, r := range regions(t, pid) {
		if keeper && r.library() {
			continue
		}
		data := make([]byte, r.to-r.from)
		n, _ := mem.ReadAt(data, int64(r.from)) // some maps cannot be read, or not to their end
		for from, part := range written(data[:n]) {
			for _, secret := range secrets {
				for form, needle := range forms(secret, text) {
					if at := bytes.Index(part, needle); at >= 0 {
						where = append(where, fmt.Sprintf("%s at %x %q", form, r.from+uint64(from+at), r.name))
					}
				}
			}
		}
	}
	return where
}

// written gives the parts of a map that anybody wrote to, by their offsets: most of it
// is zeros.
func written(data []byte) iter.Seq2[int, []byte] {
	const page = 4096
	var zeros [page]byte
	empty := func(at int) bool {
		return bytes.Equal(data[at:min(at+page, len(data))], zeros[:min(page, len(data)-at)])
	}
	return func(yield func(int, []byte) bool) {
		for from := 0; from < len(data); {
			if empty(from) {
				from += page
				continue
			}
			end := from
			for end < len(data) && !empty(end) {
				end += page
			}
			end = min(end+page, len(data)) // a last character may end in zeros
			if !yield(from, data[from:end]) {
				return
			}
			from = end
		}
	}
}

// pidOf finds the one process of a command line.
func pidOf(t *testing.T, pattern string) int {
	t.Helper()
	out := strings.Fields(pkcs11test.Run(t, "pgrep", "-f", pattern))
	if len(out) != 1 {
		t.Fatalf("processes of %s: %v", pattern, out)
	}
	pid, _ := strconv.Atoi(out[0]) // pgrep prints numbers
	return pid
}

// keepersOf are the keepers of a process, by a name each.
func keepersOf(t *testing.T, pid, n int) map[string]int {
	t.Helper()
	out := strings.Fields(pkcs11test.Run(t, "pgrep", "-P", strconv.Itoa(pid), "-f", "kekceremony keeper"))
	if len(out) != n {
		t.Fatalf("children of %d: %v, want %d", pid, out, n)
	}
	all := map[string]int{}
	for i, text := range out {
		all[fmt.Sprintf("keeper %d", i+1)], _ = strconv.Atoi(text) // pgrep prints numbers
	}
	return all
}

// keeperOf is the one keeper of a process.
func keeperOf(t *testing.T, pid int) int {
	t.Helper()
	return keepersOf(t, pid, 1)["keeper 1"]
}

// TestSecretsInMemory types a PIN of its own and looks through the memory of the
// wizard and of its two keepers, of which one gives it to the other; then for DEKs, while both re-wrap
// them (promise 4).
func TestSecretsInMemory(t *testing.T) {
	t.Parallel()
	const n = 1200
	parts, a := swift(t, n)
	pin := []byte(fmt.Sprintf("%x", func() []byte { b := make([]byte, 9); rand.Read(b); return b }()))
	pkcs11test.Run(t, "pkcs11-tool", "--module", pkcs11test.Module(t), "--login", "--pin", rehearsal.PIN, "--change-pin",
		"--new-pin", string(pin))
	configure(t, parts, fmt.Sprintf("  pin: %q\n", rehearsal.PIN), "")
	var deks [][]byte
	for i := range 20 {
		field, id := rehearsal.Record(61 * i) // some in each collection, all over it
		e, err := a.Records.Get(t.Context(), field, id)
		if err != nil {
			t.Fatal(err)
		}
		dek := make([]byte, kek.Size)
		if err := a.Provider.Unwrap(t.Context(), kek.NameOf(a.Chain, 1), e.WrappedDEK, dek); err != nil {
			t.Fatal(err)
		}
		deks = append(deks, dek)
	}
	rotate := []string{binary, "rotate", "--to-version", "2", "--processes", "2", "--rate", "8",
		"--config", parts.Config()}
	p := newPane(t, shell(rotate))
	p.goOn(parts, regexp.MustCompile(`PIN of token`))
	wizard := pidOf(t, "^"+binary+" rotate .*"+parts.Dir)
	keeperOf(t, wizard)
	p.tmux("send-keys", "-l", string(pin))
	p.tmux("send-keys", "Enter")
	p.goOn(parts, regexp.MustCompile(`approve-key`))
	all := keepersOf(t, wizard, 2)
	all["wizard"] = wizard
	for name, pid := range all {
		if where := found(t, pid, pid != wizard, true, pin); where != nil {
			t.Errorf("the PIN is in the %s: %v", name, where)
		}
		untouchable(t, pid)
	}

	p.goOn(parts, regexp.MustCompile(`state      running`))
	scans := 0
	for ; strings.Contains(p.screen(), "state      "); scans++ { // running, but for a heartbeat that is late
		for name, pid := range all {
			where := found(t, pid, pid != wizard, false, deks...)
			if where != nil { // one is in the page that it is wiped from while its envelope is in work
				where = found(t, pid, pid != wizard, false, deks...)
			}
			if where != nil {
				t.Errorf("DEKs are in the %s: %v", name, where)
			}
		}
		if scans == 3 { // enough: no limit any more. Till then it takes minutes to the end
			for _, key := range []string{"r", "0", "Enter", "1"} {
				p.tmux("send-keys", key)
			}
		}
	}
	if scans < 3 {
		t.Errorf("only %d scans during the re-wrap", scans)
	}
	p.goOn(parts, regexp.MustCompile(`finals(?s:.*)bob: type`))
	zeroAt(t, parts, 2)
	for _, dir := range []string{parts.Dir, filepath.Dir(binary)} {
		if where := onDisk(t, dir, append(deks, pin)...); where != nil {
			t.Errorf("on disk: %v", where)
		}
	}
	if err := os.WriteFile(filepath.Join(parts.Dir, "control"), []byte("pin="+string(pin)), 0o600); err != nil {
		t.Fatal(err)
	}
	if where := onDisk(t, parts.Dir, pin); len(where) != 1 || !strings.HasSuffix(where[0], "/control") {
		t.Errorf("the control was not found: %v", where)
	}
}

// onDisk lists the files below a directory that hold a secret: store, transcripts,
// the token's own files.
func onDisk(t *testing.T, dir string, secrets ...[]byte) (where []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !d.Type().IsRegular() {
			return nil // a temporary one went
		} else if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for _, secret := range secrets {
			for form, needle := range forms(secret, false) {
				if bytes.Contains(data, needle) {
					where = append(where, form+" in "+path)
				}
			}
			if bytes.Contains(data, []byte(hex.EncodeToString(secret))) ||
				bytes.Contains(data, []byte(base64.StdEncoding.EncodeToString(secret))) {
				where = append(where, "encoded in "+path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return where
}

// anyHeartbeat waits until a process of the fleet has sent a heartbeat.
func anyHeartbeat(t *testing.T, parts rehearsal.Parts) {
	t.Helper()
	db := openStore(t, parts)
	reports := func() bool {
		all, err := db.Heartbeats(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return len(all) > 0
	}
	if !await(reports) {
		t.Fatal("no process reports")
	}
}

// untouchable demands that a process may leave no core.
func untouchable(t *testing.T, pid int) {
	t.Helper()
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil || !regexp.MustCompile(`Max core file size +0 +0`).Match(limits) {
		t.Errorf("core files of %d are not forbidden: %v", pid, err)
	}
}

// TestSameUser: another process of the same user reads neither memory nor environment.
func TestSameUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		pkcs11test.Missing(t, "root, to become another user; the right to")
	}
	dir, err := os.MkdirTemp("", "kek-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "kekceremony")
	pkcs11test.Run(t, "cp", binary, program)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	nobody := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	mine, theirs := os.NewFile(uintptr(pair[0]), "mine"), os.NewFile(uintptr(pair[1]), "theirs")
	defer mine.Close()
	defer theirs.Close()
	for _, c := range []struct {
		name string
		args []string
		open bool
	}{{"sleep, the control", []string{"sleep", "infinity"}, true}, {"keeper", []string{program, "keeper"}, false}} {
		cmd := exec.Command(c.args[0], c.args[1:]...)
		cmd.SysProcAttr, cmd.ExtraFiles = nobody, []*os.File{theirs}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"environ", "maps"} {
			readable := func() bool {
				read := exec.Command("head", "-c", "1", fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, file))
				read.SysProcAttr = nobody
				return read.Run() == nil
			}
			if !await(func() bool { return readable() == c.open }) { // it must begin first
				t.Errorf("%s: is %s readable to the same user: %t", c.name, file, !c.open)
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// TestSecretsControl: the scan does find a PIN that a form of the screen's library was
// given, after it was dropped.
func TestSecretsControl(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "asks")
	pkcs11test.Run(t, "go", "build", "-o", program, "./testdata/asks")
	p := newPane(t, program)
	p.enter("PIN", "4711-marker-0815")
	p.until("dropped")
	if where := found(t, pidOf(t, "^"+program), false, true, []byte("4711-marker-0815")); where == nil {
		t.Error("the scan finds nothing: it would not find anything in the wizard either")
	}
}
