// Package config reads the configuration: a file of strict YAML, in which an unknown, repeated
// or malformed key is refused, and variables of the environment, which take the place of what the
// file says.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// Default is where the configuration lies unless --config says otherwise.
const Default = "/etc/kekceremony/config.yaml"

// Config is the whole file, with what the environment set instead.
type Config struct {
	Store       string     `yaml:"store"`       // sqlite:PATH or mongodb://HOST/DATABASE
	Transcripts string     `yaml:"transcripts"` // an existing directory of mode 0700
	Exchange    string     `yaml:"exchange"`    // directory of statements that are signed offline; default: transcripts
	Revoked     string     `yaml:"revoked"`     // file of revoked operators' keys, a list or a KRL
	Founding    string     `yaml:"founding"`    // final digest of the install, typed from paper
	Chain       string     `yaml:"chain"`       // typed from paper after the install
	Encryption  Encryption `yaml:"encryption"`
	Fleet       Fleet      `yaml:"fleet"`
	Policy      Policy     `yaml:"policy"`
	Catalogue   []Entry    `yaml:"catalogue"` // places beside the default ones, or instead of one
	Adopted     *Adopted   `yaml:"adopted"`   // present: an application made the database before there were ceremonies
	Keys        []string   `yaml:"keys"`      // operators' private key files on this console
	Rehearsal   *Rehearsal `yaml:"rehearsal"` // present: everything is a rehearsal
	Sources     []Source   `yaml:"-"`         // of values that are not the file's

	current kek.Version // that the environment names; 0: none
}

// Encryption names the provider.
type Encryption struct {
	Provider string            `yaml:"provider"`  // the name of a kind
	PINFile  string            `yaml:"pin_file"`  // mode 0600; agents and unattended runs
	PINParts int               `yaml:"pin_parts"` // custodians who each type a part of the PIN; default: 1
	PINTries int               `yaml:"pin_tries"` // that a token allows which does not report them; default: 3
	Settings provider.Settings `yaml:"-"`         // the provider's section, which has its kind's name
	// PINCredential is the name of a systemd credential, which Read makes the PINFile.
	PINCredential string `yaml:"pin_credential"`

	section ast.Node            // not decoded yet
	own     map[string]ast.Node // sections of kinds of providers, by name
}

// Fleet says how often processes report, when they count as live, and how many of
// each role there must be.
type Fleet struct {
	Heartbeat time.Duration  `yaml:"beat"`
	Live      time.Duration  `yaml:"live"`
	Expect    map[string]int `yaml:"expect"`
	Uncounted []string       `yaml:"uncounted"` // roles whose processes use neither the keyring nor an agent
	Unfenced  bool           `yaml:"unfenced"`  // the store shall not refuse writes with retired versions
}

// Rehearsal marks temporary parts.
type Rehearsal struct {
	PIN    string `yaml:"pin"`    // of the temporary token; shown on the screen
	Roster string `yaml:"roster"` // path that install proposes
}

// maxParts bounds the custodians of a PIN.
const maxParts = 4

// Read reads and checks a file, for a console. Kinds are those of the providers that there are.
func Read(path string, kinds ...provider.Settings) (Config, error) {
	return read(path, kinds, func(c Config) error {
		if err := privateDir(c.Transcripts); err != nil {
			return fmt.Errorf("transcripts: %w", err)
		}
		return nil
	})
}

// ReadProcess reads and checks a file, for a process of the fleet: it needs no transcripts but
// to count failed attempts at a PIN there.
func ReadProcess(path string, kinds ...provider.Settings) (Config, error) {
	return read(path, kinds, func(c Config) error {
		if c.Encryption.PINFile == "" || c.Transcripts != "" {
			return c.Encryption.CheckCredential()
		}
		return errors.New("transcripts is missing: failed attempts at the PIN of encryption.pin_file are counted there")
	})
}

func read(path string, kinds []provider.Settings, dirs func(Config) error) (Config, error) {
	c := Config{
		Fleet:      Fleet{Heartbeat: 30 * time.Second, Live: 120 * time.Second},
		Encryption: Encryption{PINParts: 1, PINTries: 3},
		Policy:     Policy{Warning: 30 * 24 * time.Hour},
	}
	if err := c.readFile(path, kinds); err != nil {
		return c, err
	}
	if err := c.override(newEnvironment(os.Environ()), kinds); err != nil {
		return c, c.where(path, err)
	}
	if err := errors.Join(c.Encryption.credential(), c.check(kinds, dirs)); err != nil {
		return c, c.where(path, err)
	}
	return c, nil
}

// readFile reads what the file itself says.
func (c *Config) readFile(path string, kinds []provider.Settings) error {
	f, err := file.Open(path, file.Rules{Max: MaxFile, Follow: true})
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := file.All(f, MaxFile)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if err := errors.Join(Decode(data, c), c.Encryption.decode(kinds)); err != nil {
		return c.where(path, errors.New(cause(err)))
	}
	info, err := f.Stat()
	if err == nil {
		err = c.private(info.Mode())
	}
	if err != nil {
		return c.where(path, err)
	}
	return nil
}

// override takes from the environment what it sets, and from the sections of providers the rest.
func (c *Config) override(e *environment, kinds []provider.Settings) (err error) {
	if err := e.set(c, ""); err != nil {
		return err
	}
	if c.current, err = e.currentVersion(); err != nil {
		return err
	}
	all, err := c.Encryption.settings(kinds, e)
	if err != nil {
		return err
	}
	c.Sources = e.used
	return e.unknown(all)
}

// where says what an error was found in: the file, and the variables that replace a part of it.
func (c *Config) where(path string, err error) error {
	var variable *VariableError
	if errors.As(err, &variable) {
		return err
	}
	names := ""
	for _, s := range c.Sources {
		names += " and " + s.From
	}
	return fmt.Errorf("read configuration %s%s: %w", printable.Text(path), names, err)
}

func (c *Config) check(kinds []provider.Settings, dirs func(Config) error) error {
	if err := CheckStore(c.Store); err != nil {
		return err
	}
	if err := dirs(*c); err != nil {
		return err
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
	return errors.Join(err, c.Policy.check(), c.Adopted.check(), c.Encryption.check(kinds))
}

func (e Encryption) check(kinds []provider.Settings) error {
	if e.PINParts < 1 || e.PINParts > maxParts {
		return fmt.Errorf("encryption.pin_parts: %d: want 1 to %d", e.PINParts, maxParts)
	}
	if e.PINTries < 2 { // with one, each would be the last
		return fmt.Errorf("encryption.pin_tries: %d: want 2 or more", e.PINTries)
	}
	if e.Settings == nil {
		var names []string
		for _, k := range kinds {
			names = append(names, k.Name())
		}
		return fmt.Errorf("encryption.provider: %s: want %s", printable.Quote(e.Provider), strings.Join(names, " or "))
	}
	return e.Settings.Check()
}

// DirError is a directory that is not there, or that others may read. Mend is what helps, as people type it.
type DirError struct {
	err  error
	Mend string
}

func (e *DirError) Error() string { return e.err.Error() }
func (e *DirError) Unwrap() error { return e.err }

func privateDir(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && filepath.IsAbs(path) {
		return &DirError{err, "mkdir -m 700 " + printable.Word(path)}
	}
	if err != nil {
		return err
	}
	const want = "want an absolute path of a directory of mode 0700"
	switch mode := info.Mode().Perm(); {
	case !filepath.IsAbs(path) || !info.IsDir():
		return fmt.Errorf("%s: %s", printable.Quote(path), want)
	case mode&0o077 != 0:
		return &DirError{fmt.Errorf("%s: mode %04o: %s", printable.Quote(path), mode, want),
			"chmod 700 " + printable.Word(path)}
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

// WithoutPassword is a store's URI with a word for people to fill in where it holds a password; all else is as it is.
func WithoutPassword(name string) string {
	scheme, rest, ok := strings.Cut(name, "://")
	at := strings.LastIndex(rest, "@")
	if !ok || at < 0 {
		return name
	}
	user, _, ok := strings.Cut(rest[:at], ":")
	if !ok {
		return name
	}
	return scheme + "://" + user + ":PASSWORD" + rest[at:]
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
	named := map[string]bool{}
	for _, e := range c.Catalogue {
		p, err := e.place()
		if err == nil && named[p.String()] {
			err = fmt.Errorf("place %q stands twice", p)
		}
		if err != nil {
			return nil, fmt.Errorf("catalogue: %w", err)
		}
		named[p.String()] = true
		all = all.With(p)
	}
	if err := all.Check(); err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	return all, nil
}
