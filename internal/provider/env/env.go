// Package env is the provider whose KEKs are 32-byte values in environment
// variables, or in a secrets file of the same form. It protects against nobody
// who can read the process: docs/threat-model.md says so.
package env

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// Name is the provider's name in configuration, lock and envelopes.
const Name = "env"

// Prefix and a version's number make a variable's name. Its value is exactly
// 64 hex characters.
const Prefix = "CERTAUTOPILOT_ENCRYPTION_ENV_KEK_V"

// Variable is the name of version v's variable.
func Variable(v kek.Version) string { return Prefix + v.String() }

// Config is encryption.env of the configuration.
type Config struct {
	// SecretsFile holds NAME=value lines, mode 0600. It is read again by each
	// Find, and Generate writes it. Empty: the environment alone.
	SecretsFile string `yaml:"secrets_file"`
}

// Provider holds the keys of the environment and the file in locked memory.
type Provider struct {
	cfg     Config
	environ []string
	keys    map[kek.Version]*secret.Buffer
	aeads   map[kek.Version]cipher.AEAD // of keys, those that were used
}

var _ provider.Provider = (*Provider)(nil)

// Open reads environ (as os.Environ gives it) and the file. Any malformed,
// doubled or equal key refuses all of it; an error names the variable, never
// its value.
func Open(cfg Config, environ []string) (*Provider, error) {
	p := &Provider{cfg: cfg, environ: environ, aeads: map[kek.Version]cipher.AEAD{}}
	return p, p.load()
}

// load replaces all keys by what the environment and the file hold now.
func (p *Provider) load() error {
	keys := map[kek.Version]*secret.Buffer{}
	err := p.readAll(keys)
	if err == nil {
		err = distinct(keys)
	}
	if err != nil {
		wipe(keys)
		return err
	}
	for v, old := range p.keys {
		if now, ok := keys[v]; !ok || subtle.ConstantTimeCompare(old.Bytes(), now.Bytes()) != 1 {
			delete(p.aeads, v)
		}
	}
	wipe(p.keys)
	p.keys = keys
	return nil
}

func (p *Provider) readAll(keys map[kek.Version]*secret.Buffer) error {
	for _, line := range p.environ {
		if err := take(keys, []byte(line), "the environment"); err != nil {
			return err
		}
	}
	if p.cfg.SecretsFile == "" {
		return nil
	}
	file, err := readSecrets(p.cfg.SecretsFile)
	if err != nil {
		return err
	}
	defer file.Wipe()
	for line := range bytes.Lines(file.Bytes()) {
		if err := take(keys, bytes.TrimRight(line, "\r\n"), printable.Text(p.cfg.SecretsFile)); err != nil {
			return err
		}
	}
	return nil
}

// take adds the key of one NAME=value line, if it is one of ours.
func take(keys map[kek.Version]*secret.Buffer, line []byte, source string) error {
	name, value, ok := bytes.Cut(line, []byte("="))
	if !ok || !bytes.HasPrefix(name, []byte(Prefix)) {
		return nil
	}
	v, err := kek.ParseVersion(strings.TrimPrefix(string(name), Prefix))
	if err != nil {
		return fmt.Errorf("read %s: variable %s: %w", source, printable.Text(string(name)), err)
	}
	if len(value) != hex.EncodedLen(kek.Size) {
		return fmt.Errorf("read %s: %s has %d characters, want 64 of hex", source, Variable(v), len(value))
	}
	key, err := secret.New(kek.Size)
	if err != nil {
		return err
	}
	if _, err := hex.Decode(key.Room(), value); err != nil {
		key.Wipe()
		return fmt.Errorf("read %s: %s holds a character that is not hex", source, Variable(v)) // err would quote it
	}
	key.SetLen(kek.Size)
	if old, taken := keys[v]; taken {
		defer key.Wipe()
		if subtle.ConstantTimeCompare(old.Bytes(), key.Bytes()) != 1 {
			return fmt.Errorf("read %s: %s is given twice with different values", source, Variable(v))
		}
		return nil
	}
	keys[v] = key
	return nil
}

// distinct refuses one key under two numbers: a rotation between them would
// change nothing.
func distinct(keys map[kek.Version]*secret.Buffer) error {
	versions := slices.Sorted(maps.Keys(keys))
	for i, a := range versions {
		for _, b := range versions[i+1:] {
			if subtle.ConstantTimeCompare(keys[a].Bytes(), keys[b].Bytes()) == 1 {
				return fmt.Errorf("%s and %s hold the same key", Variable(a), Variable(b))
			}
		}
	}
	return nil
}

func wipe(keys map[kek.Version]*secret.Buffer) {
	for _, k := range keys {
		k.Wipe()
	}
}

// Describe implements provider.Provider.
func (p *Provider) Describe(context.Context) (map[string]string, error) {
	file := "none"
	if p.cfg.SecretsFile != "" {
		file = printable.Text(p.cfg.SecretsFile)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("read the host's name: %w", err)
	}
	return map[string]string{"provider": Name, "secrets_file": file, "host": printable.Text(host)}, nil
}

// Ours implements provider.Provider.
func (p *Provider) Ours(context.Context) ([]string, error) {
	if err := p.load(); err != nil {
		return nil, err
	}
	var names []string
	for _, v := range slices.Sorted(maps.Keys(p.keys)) {
		names = append(names, Variable(v))
	}
	return names, nil
}

// Find implements provider.Provider. A value in the environment has no history
// to check, so Doubt is always nil.
func (p *Provider) Find(_ context.Context, n kek.Name) (provider.Key, error) {
	if err := p.load(); err != nil {
		return provider.Key{}, err
	}
	if _, ok := p.keys[n.Version]; !ok {
		return provider.Key{}, fmt.Errorf("find %s: %w", Variable(n.Version), provider.ErrNoKey)
	}
	return provider.Key{Name: n, Attributes: map[string]string{"variable": Variable(n.Version), "history": "unknown"}}, nil
}

// Close wipes the keys.
func (p *Provider) Close() error {
	wipe(p.keys)
	p.keys = nil
	clear(p.aeads)
	return nil
}
