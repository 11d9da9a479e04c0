package file_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// acts are what a traced child does with the file that it is told.
var acts = map[string]func(path string) error{
	"create":  func(path string) error { return file.Create(path, []byte("new")) },
	"replace": func(path string) error { return file.Replace(path, []byte("new")) },
	"append": func(path string) error {
		f, err := file.OpenLog(path)
		if err == nil {
			_, err = file.Append(f, []byte("new"))
		}
		return err
	},
	"scratch": scratch,
}

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && acts[os.Args[1]] != nil {
		if err := acts[os.Args[1]](os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// traced runs an act in a process of its own, and returns its system calls on path, path.new
// and their directory. A filter of strace's may kill it.
func traced(t *testing.T, act, path string, filter ...string) (calls []string, err error) {
	t.Helper()
	pkcs11test.Need(t, "strace")
	self, err := os.Executable()
	must(t, err)
	out := filepath.Join(t.TempDir(), "trace")
	args := []string{"-f", "-qq", "-y", "-o", out, "-e", "trace=openat,write,fsync,renameat,close"}
	args = append(append(args, filter...), self, act, path)
	said, err := exec.CommandContext(t.Context(), "strace", args...).CombinedOutput()
	if strings.Contains(string(said), "PTRACE") {
		pkcs11test.Missing(t, "the right to trace a process; strace")
	}
	text, readErr := os.ReadFile(out)
	must(t, readErr)
	name := regexp.MustCompile(`^\d+ +(\w+)\(.*?` + regexp.QuoteMeta(filepath.Dir(path)) + `(/\w+(?:\.new)?)?[">]`)
	for _, line := range strings.Split(string(text), "\n") {
		if m := name.FindStringSubmatch(line); m != nil && m[1] != "close" {
			calls = append(calls, m[1]+" "+m[2])
		}
	}
	return calls, err
}

// TestOrder (promise 5): bytes, file, name, directory are on disk in this order.
func TestOrder(t *testing.T) {
	for act, want := range map[string]string{
		"create":  "openat /file, write /file, fsync /file, openat , fsync ",
		"replace": "openat /file.new, write /file.new, fsync /file.new, renameat /file.new, openat , fsync ",
		"append":  "openat /file, openat , fsync , write /file, fsync /file",
	} {
		path := filepath.Join(t.TempDir(), "file")
		calls, err := traced(t, act, path)
		if got := strings.Join(calls, ", "); err != nil || got != want {
			t.Errorf("%s: %v\n got %s\nwant %s", act, err, got, want)
		}
	}
}

// TestCrash: the process is killed when it is about to make a call. The old file is whole
// until the new one has its name, and what the crash left is in nobody's way.
func TestCrash(t *testing.T) {
	for _, call := range []string{"fsync", "renameat"} {
		path := filepath.Join(t.TempDir(), "file")
		must(t, file.Create(path, []byte("old")))
		calls, err := traced(t, "replace", path, "-e", "inject="+call+":error=EIO:signal=KILL:when=1")
		if err == nil {
			t.Fatalf("%s: not killed: %v", call, calls)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != "old" {
			t.Errorf("%s: the file holds %q, %v", call, data, err)
		}
		if data, err := os.ReadFile(path + ".new"); err != nil || string(data) != "new" {
			t.Errorf("%s: the crash left %q, %v", call, data, err)
		}
		must(t, file.Replace(path, []byte("next")))
		holds(t, path, "next")
	}
}
