package steps

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/term"
)

// keyOf finds the key file of a person on this console.
func (e *engine) keyOf(m quorum.Member) (quorum.KeyFile, bool) {
	for _, k := range e.site.Keys {
		if string(k.Public.Marshal()) == string(m.Key.Marshal()) {
			return k, true
		}
	}
	return quorum.KeyFile{}, false
}

// signWith has ssh-keygen sign a statement file with the person's key.
func (e *engine) signWith(ctx context.Context, m quorum.Member, namespace, path string) ([]byte, error) {
	k, here := e.keyOf(m)
	if !here {
		return nil, fmt.Errorf("the key of %s is not on this console", m.Name)
	}
	if !k.Passphrase {
		return k.Sign(ctx, namespace, path, nil)
	}
	var sig []byte
	err := e.room.Lend(ctx, func(t *term.Terminal) (err error) {
		sig, err = k.Sign(ctx, namespace, path, t.In)
		return err
	})
	return sig, err
}

// signingDir is where statements lie until they are signed: beside the bundle,
// which holds only what the log holds.
func (e *engine) signingDir() string { return e.log.Dir + ".signing" }

// statement lays a statement out for signing.
func (e *engine) statement(name string, text []byte) (string, error) {
	if err := os.Mkdir(e.signingDir(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("lay out a statement: %w", err)
	}
	path := filepath.Join(e.signingDir(), name)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("lay out a statement: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("lay out a statement: %w", err)
	}
	_, err = f.Write(text)
	return path, errors.Join(err, f.Sync(), f.Close())
}

// laid reads the signature beside a statement, nil when there is none.
func (e *engine) laid(name string) ([]byte, error) {
	const limit = 64 << 10
	path := filepath.Join(e.signingDir(), name+".sig")
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > limit) {
		err = fmt.Errorf("%s: not a signature file", printable.Text(path))
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
