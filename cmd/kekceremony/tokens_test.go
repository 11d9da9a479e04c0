package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// moduleOf finds a module of Debian's, wherever the machine's architecture puts it.
func moduleOf(t *testing.T, pattern string) string {
	t.Helper()
	for _, dir := range []string{"/usr/lib/*", "/usr/lib", "/usr/lib64"} {
		if all, _ := filepath.Glob(filepath.Join(dir, pattern)); len(all) > 0 {
			return all[0]
		}
	}
	pkcs11test.Missing(t, filepath.Base(pattern))
	return ""
}

// probeOf probes a token of somebody else's by its own command.
func probeOf(t *testing.T, module, label, pin, more string) (code int, out string) {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf(`store: sqlite:%[1]s/none.db
transcripts: %[1]s
encryption:
  provider: pkcs11
  pin_file: %[1]s/pin
  pkcs11:
    module_path: %s
    token_label: %s
    environment: [SOFTHSM2_CONF, P11_KIT_SERVER_ADDRESS]
%s`,
		dir, module, label, more)
	for name, text := range map[string]string{"config.yaml": config, "pin": pin + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	code, out, errs := run(t, "probe", "--config", filepath.Join(dir, "config.yaml"))
	return code, out + errs
}

// TestRealTokens: tokens that nobody here wrote end at the line that tells why they
// cannot be used. (SoftHSM2, which can, is in every other test.)
func TestRealTokens(t *testing.T) {
	t.Parallel()
	t.Run("openCryptoki", func(t *testing.T) {
		pkcs11test.Need(t, "pkcsslotd")
		module := moduleOf(t, "opencryptoki/libopencryptoki.so.0")
		softToken(t, module)
		code, out := probeOf(t, module, "kek-test", "23456789", "")
		if code != 3 || !strings.Contains(out, "failed  mechanism    CKM_AES_GCM: CKR_MECHANISM_INVALID") {
			t.Errorf("exit %d\n%s", code, out)
		}
	})
	t.Run("NSS softokn", func(t *testing.T) {
		pkcs11test.Need(t, "certutil")
		module := moduleOf(t, "libsoftokn3.so")
		dir := t.TempDir()
		pin := filepath.Join(dir, "pin")
		if err := os.WriteFile(pin, []byte("nsspin12"), 0o600); err != nil {
			t.Fatal(err)
		}
		pkcs11test.Run(t, "certutil", "-N", "-d", "sql:"+dir, "-f", pin)
		code, out := probeOf(t, module, "NSS Certificate DB", "nsspin12",
			fmt.Sprintf("    init_args: \"configdir='sql:%s' certPrefix='' keyPrefix='' secmod='secmod.db' flags=\"\n", dir))
		if code != 3 || !strings.Contains(out, "ok      mechanism") ||
			!strings.Contains(out, "failed  key          key of the probe: local is false, want true") {
			t.Errorf("exit %d\n%s", code, out)
		}
	})
	t.Run("p11-kit, remote", func(t *testing.T) {
		pkcs11test.Need(t, "p11-kit")
		module := moduleOf(t, "pkcs11/p11-kit-client.so")
		pkcs11test.TokensForPrograms(t, "kek-test")
		socket := filepath.Join(t.TempDir(), "s")
		server := exec.Command("p11-kit", "server", "-f", "--provider", pkcs11test.Module(t), "--name", socket,
			"pkcs11:token=kek-test")
		server.Env = pkcs11test.Environ(t)
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
		awaitSocket(t, socket)
		pkcs11test.Setenv(t, "P11_KIT_SERVER_ADDRESS", "unix:path="+socket)
		code, out := probeOf(t, module, "kek-test", pkcs11test.PIN, "")
		if code != 3 || !strings.Contains(out, "SoftHSM v2") ||
			!strings.Contains(out, "failed  mechanism    CKM_AES_GCM: CKR_MECHANISM_INVALID") {
			t.Errorf("exit %d\n%s", code, out)
		}
	})
}

// onlyOne waits until no other run of the tests uses the daemon: a machine has one.
func onlyOne(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile("/tmp/kekceremony-test-pkcsslotd", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}

// softToken has openCryptoki's daemon run and its soft token be ours. One that
// somebody else uses is left alone.
func softToken(t *testing.T, module string) {
	t.Helper()
	if os.Geteuid() != 0 {
		pkcs11test.Missing(t, "root, for pkcsslotd")
	}
	onlyOne(t)
	if exec.Command("pgrep", "-x", "pkcsslotd").Run() != nil {
		pkcs11test.Run(t, "pkcsslotd")
		t.Cleanup(func() { _ = exec.Command("pkill", "-x", "pkcsslotd").Run() })
	}
	about := ""
	answers := func() bool {
		out, err := exec.Command("pkcsconf", "-t").Output()
		about = string(out)
		return err == nil
	}
	if !await(answers) {
		t.Fatal("pkcsslotd never answered")
	}
	if strings.Contains(about, "Label: kek-test ") {
		return
	}
	if strings.Contains(about, "|TOKEN_INITIALIZED") {
		pkcs11test.Missing(t, "a soft token of openCryptoki that is nobody's")
	}
	for _, args := range [][]string{
		{"--init-token", "--label", "kek-test", "--so-pin", "87654321"},
		{"--init-pin", "--so-pin", "87654321", "--pin", "12345678"},
		{"--change-pin", "--pin", "12345678", "--new-pin", "23456789"},
	} {
		pkcs11test.Run(t, "pkcs11-tool", append([]string{"--module", module, "--slot-index", "0"}, args...)...)
	}
}
