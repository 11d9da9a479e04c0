package quorum

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// Key is a private key that ssh-keygen can sign with here: one in a file, or one
// that an ssh-agent holds.
type Key struct {
	Path   string // of the private key file; empty: the agent holds it
	Public ssh.PublicKey
	// Asks: ssh-keygen has something to ask, a passphrase or a touch, and needs
	// the terminal.
	Asks bool
}

// InAgent is where a key is that an ssh-agent holds.
const InAgent = "ssh-agent"

// String says where the key is: a path, or InAgent.
func (k Key) String() string {
	if k.Path == "" {
		return InAgent
	}
	return printable.Text(k.Path)
}

// IsOf reports whether the key is the member's.
func (k Key) IsOf(m Member) bool { return bytes.Equal(k.Public.Marshal(), m.Key.Marshal()) }

// maxKey bounds the file of a public key, and that of a signature, in bytes.
const maxKey = 64 << 10

// OpenKeyFile asks ssh-keygen for the public key. The file's mode must be 0600
// or stricter. Of an encrypted key the public half must lie beside it.
func OpenKeyFile(ctx context.Context, path string) (Key, error) {
	k := Key{Path: path}
	info, err := os.Stat(path)
	if err != nil {
		return k, fmt.Errorf("open key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return k, fmt.Errorf("open key file %s: mode %04o, want 0600", printable.Text(path), info.Mode().Perm())
	}
	out, err := quiet(ctx, "ssh-keygen", "-y", "-P", "", "-f", path).Output()
	if ctx.Err() != nil {
		return k, fmt.Errorf("open key file %s: %w", printable.Text(path), ctx.Err())
	}
	if err != nil {
		k.Asks = true
		if out, err = file.Read(path+".pub", file.Rules{Max: maxKey, Follow: true}); err != nil {
			return k, fmt.Errorf("open key file %s: %w", printable.Text(path), err)
		}
	}
	if k.Public, _, _, _, err = ssh.ParseAuthorizedKey(out); err != nil {
		return k, fmt.Errorf("open key file %s: %s", printable.Text(path), printable.Text(err.Error()))
	}
	k.Asks = k.Asks || isHardware(k.Public)
	return k, nil
}

// quiet is a run of a program of OpenSSH that asks nobody. It ends with ctx: the keys of a terminal that send a signal
// do not reach it, so nothing that they ended is taken for its answer.
func quiet(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// isHardware reports whether the key is on a FIDO authenticator: it blinks for a
// touch, and may want a PIN.
func isHardware(k ssh.PublicKey) bool { return strings.HasPrefix(k.Type(), "sk-") }

// agentTime bounds the wait for an agent's list.
const agentTime = 5 * time.Second

// AgentKeys lists the keys of the ssh-agent that SSH_AUTH_SOCK names. Without an
// agent, or with none that answers, there are none.
func AgentKeys(ctx context.Context) []Key {
	if os.Getenv("SSH_AUTH_SOCK") == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, agentTime)
	defer cancel()
	out, err := quiet(ctx, "ssh-add", "-L").Output()
	if err != nil {
		return nil
	}
	var keys []Key
	for len(out) > 0 {
		public, _, _, rest, err := ssh.ParseAuthorizedKey(out)
		if err != nil {
			return keys
		}
		keys, out = append(keys, Key{Public: public, Asks: isHardware(public)}), rest
	}
	return keys
}

// SignLine is the command that makes the signature of a statement, for people
// who sign elsewhere.
func SignLine(namespace, statement string) string {
	return fmt.Sprintf("ssh-keygen -Y sign -n %s -f KEY %s", namespace, printable.Text(statement))
}

// Sign has ssh-keygen sign the statement file and returns the signature; one
// that lies beside the file already is removed. Whose it is, Check says. tty is
// nil unless the key Asks.
func (k Key) Sign(ctx context.Context, namespace, path string, tty *os.File) (_ []byte, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("sign %s with %s: %w", printable.Text(path), k, err)
		}
	}()
	if err := os.Remove(path + ".sig"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key := k.Path
	if key == "" {
		dir, done, err := file.Scratch()
		if err != nil {
			return nil, err
		}
		defer done()
		key = filepath.Join(dir, "key.pub") // ssh-keygen asks the agent for the other half
		if err := os.WriteFile(key, ssh.MarshalAuthorizedKey(k.Public), 0o600); err != nil {
			return nil, err
		}
	}
	cmd := quiet(ctx, "ssh-keygen", "-Y", "sign", "-n", namespace, "-f", key, path)
	cmd.Env = append(os.Environ(), "SSH_ASKPASS_REQUIRE=never")
	cmd.WaitDelay = time.Second // a helper of ssh-keygen that waits for a touch holds its output
	var said bytes.Buffer
	cmd.Stderr = &said
	if tty != nil {
		cmd.SysProcAttr = nil
		cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, io.MultiWriter(tty, &said)
	}
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("ssh-keygen: %w: %s", err, printable.Text(strings.TrimSpace(said.String())))
	}
	sig, err := file.Read(path+".sig", file.Rules{Max: maxKey})
	return sig, errors.Join(err, os.Remove(path+".sig"))
}
