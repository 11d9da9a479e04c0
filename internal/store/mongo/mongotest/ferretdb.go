package mongotest

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// startFerretDB runs the server and returns its address.
func startFerretDB(t testing.TB) string {
	t.Helper()
	return start(t, exec.Command(built(t, "plain", buildPlain), t.TempDir()))
}

// start runs a server for the time of the test, and returns the line that it prints.
func start(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	in, err := cmd.StdinPipe() // it ends with its standard input
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("FerretDB did not start: %v", err)
	}
	return strings.TrimSpace(line)
}

// builder builds a server from the sources in a directory.
type builder func(source, path string) error

func buildPlain(source, path string) error { return goes(source, "build", "-o", path, ".") }

func goes(dir string, args ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// built is the path of a built server. The build is kept in the user's cache, by the digest of its sources:
// it takes a minute.
func built(t testing.TB, name string, build builder) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	path, err := keep(filepath.Join(filepath.Dir(here), "ferretdb"), name, build)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	return path
}

func keep(source, name string, build builder) (string, error) {
	h := sha256.New()
	for _, file := range []string{"main.go", "secured/main.go", "go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(source, file))
		if err != nil {
			return "", err
		}
		h.Write(data)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "kekceremony-test")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", err
	}
	path := filepath.Join(dir, fmt.Sprintf("ferretdb-%s-%.16x", name, h.Sum(nil)))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := build(source, path); err != nil {
		return "", errors.Join(fmt.Errorf("build FerretDB: %w", err), os.RemoveAll(path))
	}
	return path, nil
}
