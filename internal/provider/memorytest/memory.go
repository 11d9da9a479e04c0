// Package memorytest is a third provider, for tests: keys in the memory of one process, and a
// form of wrapped DEKs that no other provider has. It shows what a new provider needs: this
// package, and its place in the list of the program (cmd/kekceremony/providers.go).
package memorytest

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// Name is the provider's name in configuration, lock and envelopes.
const Name = "memory"

// Settings open an empty provider.
type Settings struct {
	Zone string `yaml:"zone"` // which the provider reports
	File string `yaml:"file"` // of a test in which several processes have the keys; empty: none
}

var _ provider.Settings = Settings{}

// Name implements provider.Settings, as do those that follow.
func (s Settings) Name() string { return Name }

func (s Settings) Facts() []provider.Fact {
	return []provider.Fact{
		{Name: "provider", Stable: true, Plan: true}, {Name: "zone", Stable: true, Plan: true}, {Name: "history"},
	}
}

func (s Settings) Read(decode func(any) error) (provider.Settings, error) {
	err := decode(&s)
	return s, err
}

func (s Settings) Check() error {
	if s.Zone == "" {
		return errors.New("encryption.memory.zone is missing")
	}
	return nil
}

func (s Settings) Open() (provider.Provider, error) {
	m := &memory{Settings: s, keys: map[kek.Version][]byte{}}
	return m, m.load()
}

func (s Settings) Pin() (provider.Settings, map[string]string, error) { return s, nil, nil }

func (s Settings) Inherits(string) bool { return false }

func (s Settings) OnToken() bool { return false }

// memory has no PIN and re-wraps one by one: it is a provider.Provider and nothing more.
// The processes of a fleet are goroutines here, which share it.
type memory struct {
	Settings
	mu   sync.Mutex // over keys
	keys map[kek.Version][]byte
}

// load reads the keys that the file has.
func (m *memory) load() error {
	if m.File == "" {
		return nil
	}
	text, err := file.Read(m.File, file.Rules{Max: 64 << 10})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		clear(m.keys) // another process may have destroyed some
		err = json.Unmarshal(text, &m.keys)
	}
	return err
}

// save writes them there.
func (m *memory) save() error {
	if m.File == "" {
		return nil
	}
	text, err := json.Marshal(m.keys)
	if err == nil {
		err = file.Replace(m.File, text)
	}
	return err
}

// key is that of a name, or provider.ErrNoKey.
func (m *memory) key(n kek.Name) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(); err != nil {
		return nil, err
	}
	key, ok := m.keys[n.Version]
	if !ok {
		return nil, fmt.Errorf("find %s: %w", n.Label, provider.ErrNoKey)
	}
	return key, nil
}

// Describe implements provider.Provider, as do those that follow.
func (m *memory) Describe(context.Context) (map[string]string, error) {
	return map[string]string{"provider": Name, "zone": m.Zone}, nil
}

func (m *memory) Probe(ctx context.Context, report func(provider.Verdict)) error {
	return provider.RunChecks(ctx, []provider.Check{{Line: "random", Try: func() (string, error) {
		a, b := make([]byte, kek.Size), make([]byte, kek.Size)
		rand.Read(a)
		rand.Read(b)
		if slices.Equal(a, b) {
			return "", fmt.Errorf("two keys are the same")
		}
		return "two keys are not the same", nil
	}}}, report)
}

func (m *memory) Ours(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for _, v := range slices.Sorted(maps.Keys(m.keys)) {
		names = append(names, "version "+v.String())
	}
	return names, nil
}

func (m *memory) Find(_ context.Context, n kek.Name) (provider.Key, error) {
	if _, err := m.key(n); err != nil {
		return provider.Key{}, err
	}
	return provider.Key{Name: n, Attributes: map[string]string{"history": "made here"}}, nil
}

func (m *memory) Generate(_ context.Context, n kek.Name) error {
	key := make([]byte, chacha20poly1305.KeySize)
	rand.Read(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys[n.Version] = key
	return m.save()
}

func (m *memory) Destroyable(_ context.Context, n kek.Name) error {
	_, err := m.key(n)
	return err
}

func (m *memory) Destroy(_ context.Context, n kek.Name) error {
	if _, err := m.key(n); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, n.Version)
	return m.save()
}

func (m *memory) Search(_ context.Context, n kek.Name) ([]provider.Searched, error) {
	all := []provider.Searched{{Where: "memory"}}
	_, err := m.key(n)
	if errors.Is(err, provider.ErrNoKey) {
		return all, nil
	}
	all[0].Found = 1
	return all, err
}

// mark begins each wrapped DEK; a nonce of 24 bytes, 32 bytes and a tag of 16 follow.
const mark = "memory:"

func (m *memory) aead(n kek.Name) (cipher.AEAD, error) {
	key, err := m.key(n)
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.NewX(key)
}

func (m *memory) Wrap(_ context.Context, by kek.Name, dek []byte) ([]byte, error) {
	aead, err := m.aead(by)
	if err != nil {
		return nil, err
	}
	aad, err := by.AAD()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce)
	return aead.Seal(append([]byte(mark), nonce...), nonce, dek, append([]byte(by.Label), aad...)), nil
}

func (m *memory) Unwrap(_ context.Context, by kek.Name, wrapped, into []byte) error {
	aead, err := m.aead(by)
	if err != nil {
		return err
	}
	head := len(mark) + aead.NonceSize()
	if len(wrapped) != head+len(into)+aead.Overhead() || string(wrapped[:len(mark)]) != mark {
		return fmt.Errorf("unwrap with %s: %d bytes: not wrapped here", by.Label, len(wrapped))
	}
	aad, err := by.AAD()
	if err != nil {
		return err
	}
	_, err = aead.Open(into[:0], wrapped[len(mark):head], wrapped[head:], append([]byte(by.Label), aad...))
	return err
}

func (m *memory) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	return provider.Each(ctx, m, items, to)
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.keys)
	return nil
}
