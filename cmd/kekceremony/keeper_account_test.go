package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// account is a user without rights. The programs are root's: one that everybody may read,
// and one that only root may.
type account struct {
	t                      *testing.T
	home, program, guarded string
	attributes             *syscall.SysProcAttr
}

func newAccount(t *testing.T) *account {
	t.Helper()
	if os.Geteuid() != 0 {
		pkcs11test.Missing(t, "root, to become another user; the right to")
	}
	dir, err := os.MkdirTemp("", "kek-account-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	const nobody = 65534
	a := &account{
		t: t, home: dir + "/home", program: dir + "/open/kekceremony", guarded: dir + "/guarded/kekceremony",
		attributes: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}},
	}
	for _, path := range []string{a.home, filepath.Dir(a.program), filepath.Dir(a.guarded)} {
		pkcs11test.Run(t, "install", "-d", "-m", "0755", path)
	}
	pkcs11test.Run(t, "install", "-m", "0755", binary, a.program)
	pkcs11test.Run(t, "install", "-m", "0711", binary, a.guarded)
	pkcs11test.Run(t, "chown", "65534:65534", a.home)
	pkcs11test.Run(t, "chmod", "0755", dir)
	return a
}

// command is a command of this user's.
func (a *account) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(a.t.Context(), args[0], args[1:]...)
	cmd.SysProcAttr, cmd.Dir, cmd.Env = a.attributes, a.home, append(os.Environ(), "HOME="+a.home)
	return cmd
}

// run runs a command of this user's to its end, and returns what it said.
func (a *account) run(args ...string) (code int, said string) {
	a.t.Helper()
	cmd := a.command(args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		a.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}
