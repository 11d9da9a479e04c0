package keyring_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestImports: the package brings no wizard, no command line, no provider and no store.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out))
	}
	for path := range strings.Lines(string(out)) {
		for _, part := range []string{"charmbracelet", "spf13/cobra", "miekg/pkcs11", "go-sqlite3", "mongo-driver", "hiddeco",
			"internal/tui", "internal/steps", "internal/engine", "internal/transcript", "internal/quorum"} {
			if strings.Contains(path, part) {
				t.Errorf("it brings %s", path)
			}
		}
	}
}

// TestWithoutCgo: a program with env and MongoDB is built without cgo.
func TestWithoutCgo(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "build", "-o", filepath.Join(t.TempDir(), "plain"), "./testdata/plain")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
