package pkcs11

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

var (
	_ provider.Settings  = Config{}
	_ provider.Sessions  = Config{}
	_ provider.Processes = Config{}
	_ provider.Pinned    = Config{}
	_ provider.Deadline  = Config{}
	_ provider.Limited   = Config{}
)

// moduleDigest is the fact with the SHA-256 of the module's file, hex.
const moduleDigest = "module_sha256"

// Name implements provider.Settings, as do those that follow.
func (c Config) Name() string { return Name }

func (c Config) Facts() []provider.Fact {
	facts := []provider.Fact{
		{Name: "provider", Stable: true, Plan: true},
		{Name: "module", Plan: true},
		{Name: "module_loaded"},
		{Name: moduleDigest, Stable: true, Plan: true},
		{Name: "token", Plan: true},
		{Name: "serial", Stable: true, Plan: true},
		{Name: "manufacturer"},
		{Name: "model"},
		{Name: "firmware"},
		{Name: "iv", Stable: true, Plan: true},
		{Name: "identity_sha256", Stable: true, Plan: true},
		{Name: keysOutside, Stable: true, Plan: true},
		{Name: tokenUser, Stable: true},
		{Name: provider.KeyLabel}, {Name: provider.KeyID}, // of a key that was made outside a ceremony
	}
	for _, name := range []string{
		"local", "sensitive", "always_sensitive", "extractable", "never_extractable", "wrap", "unwrap", "derive",
		"modifiable", "copyable", "bytes",
	} {
		facts = append(facts, provider.Fact{Name: name}) // of a key
	}
	return facts
}

func (c Config) Read(decode func(any) error) (provider.Settings, error) {
	err := decode(&c)
	return c, err
}

func (c Config) Check() error {
	const section = "encryption." + Name + "."
	switch {
	case !filepath.IsAbs(c.ModulePath):
		return fmt.Errorf(section+"module_path: %s: want an absolute path", printable.Quote(c.ModulePath))
	case c.TokenLabel == "":
		return errors.New(section + "token_label is missing")
	case (c.Identity.Label == "") != (c.Identity.Public == ""):
		return errors.New(section + "identity and identity_public: want both, or none")
	case c.Deadline < 0:
		return fmt.Errorf(section+"deadline: %s: want more", c.Deadline)
	case c.Sessions < 0:
		return fmt.Errorf(section+"sessions: %d: want 0, for as many as are fastest, or more", c.Sessions)
	}
	if c.Keepers < 0 || c.Keepers > maxKeepers {
		return fmt.Errorf(section+"processes: %d: want 0, for what is fastest, or at most %d", c.Keepers, maxKeepers)
	}
	if _, err := userType(c.User); err != nil {
		return fmt.Errorf(section+"user: %w", err)
	}
	return c.checkAdopted()
}

// GobEncode and GobDecode carry the settings to the keeper. Gob by itself leaves out a false that a
// pointer leads to, and with it what somebody wrote.
func (c Config) GobEncode() ([]byte, error) {
	type plain Config
	return json.Marshal(plain(c))
}

func (c *Config) GobDecode(data []byte) error {
	type plain Config
	return json.Unmarshal(data, (*plain)(c))
}

func (c Config) Open() (provider.Provider, error) { return Open(c) }

// Pin hashes the module's file; what is opened is loaded only if it is still that file.
func (c Config) Pin() (provider.Settings, map[string]string, error) {
	var err error
	c.Digest, err = Digest(c.ModulePath)
	return c, map[string]string{moduleDigest: c.Digest}, err
}

func (c Config) Inherits(variable string) bool { return slices.Contains(c.Environment, variable) }

func (c Config) OnToken() bool { return true }

// WithSessions implements provider.Sessions.
func (c Config) WithSessions(n int) provider.Settings {
	c.Sessions = n
	return c
}

// Processes implements provider.Processes.
func (c Config) Processes() int { return c.Keepers }

// WithProcesses implements provider.Processes.
func (c Config) WithProcesses(n int) provider.Settings {
	c.Keepers = n
	return c
}

const maxKeepers = 16

// PinnedTo implements provider.Pinned: a token of another serial is not opened, also when it
// has the label.
func (c Config) PinnedTo(about map[string]string) provider.Settings {
	if c.TokenSerial == "" {
		c.TokenSerial = about["serial"]
	}
	return c
}

// CallDeadline implements provider.Deadline.
func (c Config) CallDeadline() time.Duration { return c.Deadline }
