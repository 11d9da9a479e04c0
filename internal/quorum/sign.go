package quorum

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// KeyFile is a private key file on this console.
type KeyFile struct {
	Path       string
	Public     ssh.PublicKey
	Passphrase bool // asked by ssh-keygen, on the lent terminal
}

// OpenKeyFile asks ssh-keygen for the public key.
func OpenKeyFile(ctx context.Context, path string) (KeyFile, error) {
	k := KeyFile{Path: path}
	info, err := os.Stat(path)
	if err != nil {
		return k, fmt.Errorf("open key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return k, fmt.Errorf("open key file %s: mode %04o, want 0600", printable.Text(path), info.Mode().Perm())
	}
	out, err := exec.CommandContext(ctx, "ssh-keygen", "-y", "-P", "", "-f", path).Output()
	if err != nil {
		// It is encrypted: the public half lies beside it.
		k.Passphrase = true
		if out, err = os.ReadFile(path + ".pub"); err != nil {
			return k, fmt.Errorf("open key file %s: %w", printable.Text(path), err)
		}
	}
	if k.Public, _, _, _, err = ssh.ParseAuthorizedKey(out); err != nil {
		return k, fmt.Errorf("open key file %s: %w", printable.Text(path), err)
	}
	return k, nil
}

// SignLine is the command that makes the signature of a statement, for people
// who sign elsewhere.
func SignLine(namespace, statement string) string {
	return fmt.Sprintf("ssh-keygen -Y sign -n %s -f KEY %s", namespace, statement)
}

// Sign has ssh-keygen sign the statement file and returns the signature, which
// it also leaves in path.sig. A signature that lies there already is replaced.
// tty is nil unless ssh-keygen has to ask.
func (k KeyFile) Sign(ctx context.Context, namespace, path string, tty *os.File) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		return nil, fmt.Errorf("sign %s with %s: %w", printable.Text(path), printable.Text(k.Path), err)
	}
	if err := os.Remove(path + ".sig"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	cmd := exec.CommandContext(ctx, "ssh-keygen", "-Y", "sign", "-n", namespace, "-f", k.Path, path)
	cmd.Env = append(os.Environ(), "SSH_ASKPASS_REQUIRE=never")
	var said bytes.Buffer
	cmd.Stderr = &said
	if tty != nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	}
	if err := cmd.Run(); err != nil {
		return fail(fmt.Errorf("ssh-keygen: %w: %s", err, printable.Text(strings.TrimSpace(said.String()))))
	}
	sig, err := os.ReadFile(path + ".sig")
	if err != nil {
		return fail(err)
	}
	return sig, nil
}
