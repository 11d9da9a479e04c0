package env

import (
	"bytes"
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// Destroyable implements provider.Provider. A variable of the environment is taken out by who sets it.
func (p *Provider) Destroyable(_ context.Context, n kek.Name) error {
	if err := p.load(); err != nil {
		return err
	}
	name := Variable(n.Version)
	switch {
	case p.inEnvironment(n.Version) > 0:
		return fmt.Errorf("remove %s: it is in the environment, where only who sets it can remove it: %w", name,
			provider.ErrKept)
	case p.keys[n.Version] == nil:
		return fmt.Errorf("remove %s: %w", name, provider.ErrNoKey)
	}
	return nil
}

// Destroy implements provider.Provider: it takes the version's line out of the secrets file. The
// old file stays whole until the new one is on disk. What a disk keeps of the old one is not known.
func (p *Provider) Destroy(ctx context.Context, n kek.Name) error {
	if err := p.Destroyable(ctx, n); err != nil {
		return err
	}
	text, err := p.withoutLine(n.Version)
	if err != nil {
		return err
	}
	defer text.Wipe()
	if err := file.Replace(p.cfg.SecretsFile, text.Bytes()); err != nil {
		return fmt.Errorf("remove %s: %w", Variable(n.Version), err)
	}
	return p.load()
}

// withoutLine is the file's text without the key of v.
func (p *Provider) withoutLine(v kek.Version) (*secret.Buffer, error) {
	old, err := readSecrets(p.cfg.SecretsFile)
	if err != nil {
		return nil, err
	}
	defer old.Wipe()
	text, err := secret.New(max(old.Len(), 1))
	if err != nil {
		return nil, err
	}
	at := 0
	for line := range bytes.Lines(old.Bytes()) {
		if !isOf(line, v) {
			at += copy(text.Room()[at:], line)
		}
	}
	text.SetLen(at)
	return text, nil
}

// isOf reports whether a NAME=value line has the key of v.
func isOf(line []byte, v kek.Version) bool { return bytes.HasPrefix(line, []byte(Variable(v)+"=")) }

func (p *Provider) inEnvironment(v kek.Version) (n int) {
	for _, line := range p.environ {
		if isOf([]byte(line), v) {
			n++
		}
	}
	return n
}

// Search implements provider.Provider.
func (p *Provider) Search(_ context.Context, n kek.Name) ([]provider.Searched, error) {
	name := Variable(n.Version)
	all := []provider.Searched{{Where: "variable " + name, Found: p.inEnvironment(n.Version)}}
	if p.cfg.SecretsFile == "" {
		return all, nil
	}
	text, err := readSecrets(p.cfg.SecretsFile)
	if err != nil {
		return nil, err
	}
	defer text.Wipe()
	in := provider.Searched{Where: printable.Text(p.cfg.SecretsFile)}
	for line := range bytes.Lines(text.Bytes()) {
		if isOf(line, n.Version) {
			in.Found++
		}
	}
	return append(all, in), nil
}
