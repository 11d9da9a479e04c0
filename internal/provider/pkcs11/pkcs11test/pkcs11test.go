// Package pkcs11test gives tests a real SoftHSM2 token, and a fault module over
// it that misbehaves on demand. Where a part is missing a test is skipped,
// loudly; under CI=true it fails.
package pkcs11test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// PIN and Label are those of every token made here.
const (
	PIN   = "1234"
	Label = "kek-test"
)

// Where the umask is 0002 a directory of a test's is one that others may write to, and
// a module in it is refused.
func init() { syscall.Umask(0o022) }

// Need skips the test without a program, and fails it under CI=true.
func Need(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		Missing(t, program)
	}
}

// Missing ends a test that lacks a part.
func Missing(t testing.TB, part string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", part)
	}
	t.Skipf("SKIPPED: %s is not installed", part)
}

// Module is SoftHSM2's.
func Module(t testing.TB) string {
	t.Helper()
	m, err := rehearsal.Module()
	if err != nil {
		Missing(t, "softhsm2")
	}
	return m
}

// NewTokens makes a fresh token directory with one token for each label, and points
// this process at it. It is for tests that load the module themselves; they run alone.
func NewTokens(t testing.TB, labels ...string) {
	t.Helper()
	t.Setenv("SOFTHSM2_CONF", tokenDir(t))
	initTokens(t, labels)
}

// TokensForPrograms is NewTokens for the programs that the test starts.
func TokensForPrograms(t testing.TB, labels ...string) {
	t.Helper()
	Setenv(t, "SOFTHSM2_CONF", tokenDir(t))
	initTokens(t, labels)
}

// tokenDir makes an empty token directory, and returns the path of its configuration.
func tokenDir(t testing.TB) string {
	t.Helper()
	Module(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.Mkdir(filepath.Join(dir, "tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n", dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return conf
}

func initTokens(t testing.TB, labels []string) {
	t.Helper()
	for _, label := range labels {
		Run(t, "softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "12345678")
	}
}

// Objects is what pkcs11-tool lists of a token, logged in: nothing persistent
// may be left behind.
func Objects(t testing.TB, pin string) string {
	t.Helper()
	Need(t, "pkcs11-tool")
	return Run(t, "pkcs11-tool", "--module", Module(t), "--login", "--pin", pin, "--list-objects")
}

// Run runs a stock tool and returns what it printed.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	Need(t, name)
	cmd := exec.Command(name, args...)
	cmd.Env = Environ(t)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}
