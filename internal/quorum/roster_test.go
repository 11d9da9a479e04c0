package quorum_test

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// TestOneKeyTwoNames: a certificate is a second name of a key, made by stock
// ssh-keygen. No roster takes it, or one person would be two.
func TestOneKeyTwoNames(t *testing.T) {
	dir := t.TempDir()
	keygen := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ssh-keygen", append([]string{"-q"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	read := func(name string) string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	key := filepath.Join(dir, "key")
	keygen("-t", "ed25519", "-N", "", "-f", key)
	keygen("-s", key, "-I", "bob", "-n", "bob", key+".pub")
	space := quorum.Production.Namespace(quorum.Approve)
	text := "# quorum: 2\nalice namespaces=\"" + space + "\" " + read("key.pub") + "bob namespaces=\"" + space + "\" " + read("key-cert.pub")
	if _, err := quorum.ParseRoster([]byte(text), quorum.Production); err == nil || !strings.Contains(err.Error(), "cannot sign here") {
		t.Errorf("got %v", err)
	}
}

// TestHostileKeyType: the name of an algorithm within the base64 is shown without
// its control bytes.
func TestHostileKeyType(t *testing.T) {
	kind := "\x1b]0;owned\a"
	blob := append([]byte{0, 0, 0, byte(len(kind))}, kind...)
	text := "# quorum: 1\nalice namespaces=\"" + quorum.Production.Namespace(quorum.Approve) + "\" ssh-ed25519 " + base64.StdEncoding.EncodeToString(blob) + "\n"
	if _, err := quorum.ParseRoster([]byte(text), quorum.Production); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("got %q", err)
	}
}
