// Package config reads the configuration file: strict YAML, in which an
// unknown, repeated or malformed key is refused.
package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// Default is where the configuration lies unless --config says otherwise.
const Default = "/etc/kekceremony/config.yaml"

// Config is the whole file.
type Config struct {
	Store       string     `yaml:"store"`       // sqlite:PATH or mongodb://HOST/DATABASE
	Transcripts string     `yaml:"transcripts"` // an existing directory of mode 0700
	Exchange    string     `yaml:"exchange"`    // directory of statements that are signed offline; default: transcripts
	Revoked     string     `yaml:"revoked"`     // file of revoked operators' keys, a list or a KRL
	Founding    string     `yaml:"founding"`    // final digest of the install, typed from paper
	Chain       string     `yaml:"chain"`       // typed from paper after the install
	Encryption  Encryption `yaml:"encryption"`
	Fleet       Fleet      `yaml:"fleet"`
	Catalogue   []string   `yaml:"catalogue"` // collection.field, beside the default ones
	Keys        []string   `yaml:"keys"`      // operators' private key files on this console
	Rehearsal   *Rehearsal `yaml:"rehearsal"` // present: everything is a rehearsal
}

// Encryption names the provider.
type Encryption struct {
	Provider string `yaml:"provider"`  // env or pkcs11
	PINFile  string `yaml:"pin_file"`  // mode 0600; agents and unattended runs
	PINParts int    `yaml:"pin_parts"` // custodians who each type a part of the PIN; default: 1
	PINTries int    `yaml:"pin_tries"` // that a token allows which does not report them; default: 3
	PKCS11   PKCS11 `yaml:"pkcs11"`
	Env      Env    `yaml:"env"`
}

// PKCS11 is encryption.pkcs11.
type PKCS11 struct {
	ModulePath  string `yaml:"module_path"`
	TokenLabel  string `yaml:"token_label"`
	TokenSerial string `yaml:"token_serial"`
	IVFromHSM   *bool  `yaml:"use_gcm_iv_from_hsm"`
	Sessions    int    `yaml:"sessions"`  // that re-wrap at once; 0: as many as are fastest
	InitArgs    string `yaml:"init_args"` // for modules that want some (NSS softokn)
	LoadByPath  bool   `yaml:"load_by_path"`
	// Identity is the label of a private key of the token's own, and IdentityPublic the
	// path of its public key, as the vendor's tools attest it.
	Identity       string `yaml:"identity"`
	IdentityPublic string `yaml:"identity_public"`
	// Environment names the variables that the module gets. It gets no other.
	Environment []string      `yaml:"environment"`
	Deadline    time.Duration `yaml:"deadline"` // of a call into the module; default: a minute
}

// Env is encryption.env.
type Env struct {
	SecretsFile string `yaml:"secrets_file"`
}

// Fleet says how often processes report, when they count as live, and how many of
// each role there must be.
type Fleet struct {
	Heartbeat time.Duration  `yaml:"beat"`
	Live      time.Duration  `yaml:"live"`
	Expect    map[string]int `yaml:"expect"`
}

// Rehearsal marks temporary parts.
type Rehearsal struct {
	PIN    string `yaml:"pin"`    // of the temporary token; shown on the screen
	Roster string `yaml:"roster"` // path that install proposes
}

// maxParts bounds the custodians of a PIN.
const maxParts = 4

// Read reads and checks a file.
func Read(path string) (Config, error) {
	c := Config{
		Fleet:      Fleet{Heartbeat: 30 * time.Second, Live: 120 * time.Second},
		Encryption: Encryption{PINParts: 1, PINTries: 3},
	}
	f, err := file.Open(path, file.Rules{Max: MaxFile, Follow: true})
	if err != nil {
		return c, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := file.All(f, MaxFile)
	if err != nil {
		return c, fmt.Errorf("read configuration: %w", err)
	}
	if err := Decode(data, &c); err != nil {
		return c, fmt.Errorf("read configuration %s: %s", printable.Text(path), cause(err))
	}
	info, err := f.Stat()
	if err == nil {
		err = errors.Join(c.check(), c.private(info.Mode()))
	}
	if err != nil {
		return c, fmt.Errorf("read configuration %s: %w", printable.Text(path), err)
	}
	return c, nil
}

// cause is the YAML error without its picture of the file: the file may hold
// what should not be on a screen.
func cause(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return printable.Text(first)
}

func (c *Config) check() error {
	if err := CheckStore(c.Store); err != nil {
		return err
	}
	if err := privateDir(c.Transcripts); err != nil {
		return fmt.Errorf("transcripts: %w", err)
	}
	if c.Exchange != "" && !filepath.IsAbs(c.Exchange) {
		return fmt.Errorf("exchange: %s: want an absolute path", printable.Quote(c.Exchange))
	}
	if c.Chain != "" {
		if _, err := kek.ParseChain(c.Chain); err != nil {
			return err
		}
	}
	if c.Fleet.Heartbeat <= 0 || c.Fleet.Live < 2*c.Fleet.Heartbeat {
		return fmt.Errorf("fleet: live is %s, want at least twice beat, %s", c.Fleet.Live, c.Fleet.Heartbeat)
	}
	_, err := c.FullCatalogue()
	return errors.Join(err, c.Encryption.check())
}

func (e Encryption) check() error {
	if e.PINParts < 1 || e.PINParts > maxParts {
		return fmt.Errorf("encryption.pin_parts: %d: want 1 to %d", e.PINParts, maxParts)
	}
	if e.PINTries < 2 { // with one, each would be the last
		return fmt.Errorf("encryption.pin_tries: %d: want 2 or more", e.PINTries)
	}
	switch e.Provider {
	case "pkcs11":
		if !filepath.IsAbs(e.PKCS11.ModulePath) {
			return fmt.Errorf("encryption.pkcs11.module_path: %s: want an absolute path", printable.Quote(e.PKCS11.ModulePath))
		}
		if e.PKCS11.TokenLabel == "" {
			return errors.New("encryption.pkcs11.token_label is missing")
		}
		if (e.PKCS11.Identity == "") != (e.PKCS11.IdentityPublic == "") {
			return errors.New("encryption.pkcs11.identity and identity_public: want both, or none")
		}
		if e.PKCS11.Deadline < 0 {
			return fmt.Errorf("encryption.pkcs11.deadline: %s: want more", e.PKCS11.Deadline)
		}
		if e.PKCS11.Sessions < 0 {
			return fmt.Errorf("encryption.pkcs11.sessions: %d: want 0, for as many as are fastest, or more", e.PKCS11.Sessions)
		}
	case "env":
	default:
		return fmt.Errorf("encryption.provider: %s: want env or pkcs11", printable.Quote(e.Provider))
	}
	return nil
}

func privateDir(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(path) || !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s: want an absolute path of a directory of mode 0700", printable.Quote(path))
	}
	return nil
}

// SQLite begins the name of a store that is a file.
const SQLite = "sqlite:"

// CheckStore refuses what is not the name of a store. A MongoDB URI may hold a
// password and is never quoted.
func CheckStore(name string) error {
	if path, ok := strings.CutPrefix(name, SQLite); ok && filepath.IsAbs(path) {
		return nil
	}
	if strings.HasPrefix(name, "mongodb://") || strings.HasPrefix(name, "mongodb+srv://") {
		return nil
	}
	return errors.New("store: want mongodb://HOST/DATABASE, or sqlite: and an absolute path")
}

// private refuses a file that others may read when it holds a password.
func (c Config) private(mode os.FileMode) error {
	_, rest, _ := strings.Cut(c.Store, "://")
	credentials, _, found := strings.Cut(rest, "@")
	if found && strings.Contains(credentials, ":") && mode.Perm()&0o077 != 0 {
		return fmt.Errorf("it holds the store's password and has mode %04o: %w", mode.Perm(), file.ErrMode)
	}
	return nil
}

// FullCatalogue is the default catalogue and the places of the file.
func (c Config) FullCatalogue() (envelope.Catalogue, error) {
	all := envelope.DefaultCatalogue()
	for _, text := range c.Catalogue {
		p, err := envelope.ParsePlace(text)
		if err != nil {
			return nil, fmt.Errorf("catalogue: %w", err)
		}
		all = all.With(p)
	}
	return all, nil
}
