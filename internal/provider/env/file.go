package env

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// maxSecrets bounds the secrets file in bytes: some hundred keys.
const maxSecrets = 64 << 10

// readSecrets reads the file; one that is not there yet is empty.
func readSecrets(path string) (*secret.Buffer, error) {
	b, err := secret.ReadFile(path, maxSecrets)
	if errors.Is(err, fs.ErrNotExist) {
		return secret.New(1)
	}
	return b, err
}

// Generate implements provider.Provider: it adds the version's line to the
// secrets file. The old file stays whole until the new one is on disk.
func (p *Provider) Generate(_ context.Context, n kek.Name) error {
	if p.cfg.SecretsFile == "" {
		return fmt.Errorf("generate %s: %w", Variable(n.Version), provider.ErrNoFile)
	}
	text, err := p.withLine(n.Version)
	if err != nil {
		return err
	}
	defer text.Wipe()
	if err := file.Replace(p.cfg.SecretsFile, text.Bytes()); err != nil {
		return fmt.Errorf("generate %s: %w", Variable(n.Version), err)
	}
	return p.load()
}

// withLine is the file's text with a new random key for v at its end.
func (p *Provider) withLine(v kek.Version) (*secret.Buffer, error) {
	old, err := readSecrets(p.cfg.SecretsFile)
	if err != nil {
		return nil, err
	}
	defer old.Wipe()
	key, err := secret.New(kek.Size)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	key.SetLen(kek.Size)
	if _, err := rand.Read(key.Bytes()); err != nil {
		return nil, err
	}
	text, err := secret.New(old.Len() + 256)
	if err != nil {
		return nil, err
	}
	at := copy(text.Room(), old.Bytes())
	if at > 0 && text.Room()[at-1] != '\n' {
		at += copy(text.Room()[at:], "\n")
	}
	at += copy(text.Room()[at:], Variable(v)+"=")
	at += hex.Encode(text.Room()[at:], key.Bytes())
	at += copy(text.Room()[at:], "\n")
	text.SetLen(at)
	return text, nil
}
