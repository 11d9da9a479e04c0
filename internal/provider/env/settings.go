package env

import (
	"os"
	"strings"

	"github.com/certautopilot/kekceremony/internal/provider"
)

var _ provider.Settings = Config{}

// Name implements provider.Settings, as do those that follow.
func (c Config) Name() string { return Name }

func (c Config) Facts() []provider.Fact {
	return []provider.Fact{
		{Name: "provider", Stable: true, Plan: true},
		{Name: "secrets_file", Plan: true},
		{Name: "host", Plan: true},
		{Name: "variable"}, // of a key, as is what follows
		{Name: "history"},
	}
}

func (c Config) Read(decode func(any) error) (provider.Settings, error) {
	err := decode(&c)
	return c, err
}

func (c Config) Check() error { return nil }

func (c Config) Open() (provider.Provider, error) { return Open(c, os.Environ()) }

func (c Config) Pin() (provider.Settings, map[string]string, error) { return c, nil, nil }

func (c Config) Inherits(variable string) bool { return strings.HasPrefix(variable, Prefix) }

func (c Config) OnToken() bool { return false }
