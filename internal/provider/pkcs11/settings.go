package pkcs11

import "github.com/certautopilot/kekceremony/internal/provider"

var _ provider.Settings = Config{}

// moduleDigest is the fact with the SHA-256 of the module's file, hex.
const moduleDigest = "module_sha256"

// Name implements provider.Settings, as do those that follow.
func (c Config) Name() string { return Name }

func (c Config) Open() (provider.Provider, error) { return Open(c) }

// Pin hashes the module's file; what is opened is loaded only if it is still that file.
func (c Config) Pin() (provider.Settings, map[string]string, error) {
	var err error
	c.Digest, err = Digest(c.ModulePath)
	return c, map[string]string{moduleDigest: c.Digest}, err
}

func (c Config) Facts() []string {
	return []string{
		"provider", "module", "module_loaded", moduleDigest, "token", "serial", "manufacturer", "model", "firmware",
		"iv", "identity_sha256", // of the token; what follows is of a key
		"local", "sensitive", "always_sensitive", "extractable", "never_extractable", "wrap", "unwrap", "derive",
		"modifiable", "copyable", "bytes",
	}
}

func (c Config) Inherits(string) bool { return false }

func (c Config) OnToken() bool { return true }
