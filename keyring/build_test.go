package keyring_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestImports: the package brings no wizard, no command line, no provider and no store. The
// adapter for Tink brings BSON besides, neither the driver nor Tink.
func TestImports(t *testing.T) {
	t.Parallel()
	never := []string{"charmbracelet", "spf13/cobra", "miekg/pkcs11", "go-sqlite3", "mongo-driver/v2/mongo", "hiddeco",
		"tink-crypto", "internal/tui", "internal/steps", "internal/engine", "internal/transcript", "internal/quorum"}
	for from, forbidden := range map[string][]string{
		".": append(never, "mongo-driver"), "./tinkaead": append(never, "internal/store/mongo", "internal/provider/env"),
	} {
		out, err := exec.Command("go", "list", "-deps", from).CombinedOutput()
		if err != nil {
			t.Fatal(err, string(out))
		}
		for path := range strings.Lines(string(out)) {
			for _, part := range forbidden {
				if strings.Contains(path, part) {
					t.Errorf("%s brings %s", from, path)
				}
			}
		}
	}
}

// TestWithoutCgo: a program with env, MongoDB and the adapter for Tink is built without cgo. It
// names the store that it was built without.
func TestWithoutCgo(t *testing.T) {
	t.Parallel()
	plain := filepath.Join(t.TempDir(), "plain")
	cmd := exec.Command("go", "build", "-o", plain, "./testdata/plain")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(plain, newHouse(t).parts.Config()).Output()
	if err != nil || !strings.Contains(string(out), "store sqlite: this program was built without it") {
		t.Errorf("%s, %v", out, err)
	}
}
