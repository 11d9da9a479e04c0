package env

import (
	"os"
	"strings"

	"github.com/certautopilot/kekceremony/internal/provider"
)

var _ provider.Settings = Config{}

// Name implements provider.Settings, as do those that follow.
func (c Config) Name() string { return Name }

func (c Config) Open() (provider.Provider, error) { return Open(c, os.Environ()) }

func (c Config) Pin() (provider.Settings, map[string]string, error) { return c, nil, nil }

func (c Config) Facts() []string {
	return []string{"provider", "secrets_file", "host", "variable", "history"}
}

func (c Config) Inherits(variable string) bool { return strings.HasPrefix(variable, Prefix) }

func (c Config) OnToken() bool { return false }
