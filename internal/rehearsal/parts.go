// Package rehearsal makes the temporary parts of a rehearsal: a directory with
// a store, a token, three operators' keys and a configuration. What is then run
// with them is the production code; nothing here takes part in a ceremony.
package rehearsal

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// PIN is the temporary token's. It is on the screen and in the configuration.
const PIN = "246810"

// Operators sign; two of them are enough.
var Operators = []string{"alice", "bob", "carol"}

// Processes is how many agents make the fleet.
const Processes = 3

// Role is the agents' role.
const Role = "app"

// TokenLabel is the temporary token's label.
const TokenLabel = "kek-rehearsal"

// Variable names the temporary token to its module.
const Variable = "SOFTHSM2_CONF"

// Parts is the directory of one rehearsal.
type Parts struct{ Dir string }

// Config, Store, Token and Bundles are paths of the parts.
func (p Parts) Config() string  { return filepath.Join(p.Dir, "config.yaml") }
func (p Parts) Store() string   { return filepath.Join(p.Dir, "store.db") }
func (p Parts) Token() string   { return filepath.Join(p.Dir, "softhsm2.conf") }
func (p Parts) Bundles() string { return filepath.Join(p.Dir, "transcripts") }
func (p Parts) Roster() string  { return filepath.Join(p.Dir, "roster") }
func (p Parts) pinFile() string { return filepath.Join(p.Dir, "pin") }

func (p Parts) recordsFile() string { return filepath.Join(p.Dir, "records") }

// Answers is the path of the answers to a kind of ceremony.
func (p Parts) Answers(kind string) string { return filepath.Join(p.Dir, "answers-"+kind+".yaml") }

// Key is the path of an operator's private key.
func (p Parts) Key(name string) string { return filepath.Join(p.Dir, "operators", name) }

// Open finds the parts of an earlier rehearsal.
func Open(dir string) (Parts, bool) {
	p := Parts{dir}
	_, err := os.Stat(p.Config())
	return p, err == nil
}

// Make makes all parts in a directory that is empty or not there yet. The
// configuration comes last: without it there is no rehearsal to continue with.
// store names the store, and createStore makes it.
func Make(ctx context.Context, dir, provider, store string, createStore func(context.Context) error) (Parts, error) {
	p := Parts{dir}
	if err := emptyDir(dir); err != nil {
		return p, fmt.Errorf("make rehearsal: %w", err)
	}
	steps := []func(context.Context) error{p.makeDirs, p.makeOperators, p.makeRoster, createStore}
	if provider == "pkcs11" {
		steps = append(steps, p.makeToken)
	}
	for _, make := range steps {
		if err := make(ctx); err != nil {
			return p, fmt.Errorf("make rehearsal: %w", err)
		}
	}
	if err := p.writeConfig(provider, store); err != nil {
		return p, fmt.Errorf("make rehearsal: %w", err)
	}
	return p, nil
}

// ErrOtherDir is returned for a directory in which something else is.
var ErrOtherDir = errors.New("it is not empty, and holds no rehearsal")

func emptyDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	list, err := os.ReadDir(dir)
	if err == nil && len(list) > 0 {
		err = fmt.Errorf("%s: %w", printable.Text(dir), ErrOtherDir)
	}
	return err
}

func (p Parts) makeDirs(context.Context) error {
	for _, d := range []string{p.Bundles(), filepath.Join(p.Dir, "operators"), filepath.Join(p.Dir, "tokens")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return err
		}
	}
	return nil
}

func (p Parts) makeOperators(context.Context) error {
	for _, name := range Operators {
		if err := p.makeOperator(name); err != nil {
			return err
		}
	}
	return nil
}

// makeOperator makes a key in the form of ssh-keygen's, which signs with it.
func (p Parts) makeOperator(name string) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, name)
	if err != nil {
		return err
	}
	line, err := ssh.NewPublicKey(public)
	if err != nil {
		return err
	}
	text := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(line)), "\n") + " " + name + "\n"
	return errors.Join(file.Create(p.Key(name), pem.EncodeToMemory(block)), write(p.Key(name)+".pub", text))
}

func (p Parts) makeRoster(context.Context) error {
	var spaces []string
	for _, purpose := range []quorum.Purpose{quorum.Attend, quorum.Approve, quorum.Final} {
		spaces = append(spaces, quorum.Rehearsal.Namespace(purpose))
	}
	text := "# quorum: 2\n"
	for _, name := range Operators {
		public, err := file.Read(p.Key(name)+".pub", file.Rules{Max: 64 << 10})
		if err != nil {
			return err
		}
		text += fmt.Sprintf("%s namespaces=%q %s", name, strings.Join(spaces, ","), public)
	}
	return write(p.Roster(), text)
}

// modules is where Linux distributions put SoftHSM2.
var modules = []string{
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
	"/usr/lib64/softhsm/libsofthsm2.so",
}

// ErrNoSoftHSM is returned where SoftHSM2 is not installed.
var ErrNoSoftHSM = errors.New("SoftHSM2 is not installed")

// Module finds SoftHSM2's module.
func Module() (string, error) {
	for _, path := range modules {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", ErrNoSoftHSM
}

func (p Parts) makeToken(ctx context.Context) error {
	if _, err := Module(); err != nil {
		return err
	}
	conf := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n",
		filepath.Join(p.Dir, "tokens"))
	if err := write(p.Token(), conf); err != nil {
		return err
	}
	// This PIN guards nothing: it is in the configuration as well.
	cmd := exec.CommandContext(ctx, "softhsm2-util", "--init-token", "--free", "--label", TokenLabel, "--pin", PIN,
		"--so-pin", PIN+PIN)
	cmd.Env = append(os.Environ(), Variable+"="+p.Token())
	return run(cmd)
}

// HasToken reports whether the rehearsal has a token: one with another provider has none.
func (p Parts) HasToken() bool {
	_, err := os.Stat(p.Token())
	return err == nil
}

// Use points this process and its children at the temporary token.
func (p Parts) Use() { os.Setenv(Variable, p.Token()) }

func (p Parts) writeConfig(provider, store string) error {
	if err := write(p.pinFile(), PIN+"\n"); err != nil {
		return err
	}
	if err := p.writeAnswers(provider); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "store: %s\ntranscripts: %s\nencryption:\n  provider: %s\n", store, p.Bundles(), provider)
	if provider == "pkcs11" {
		module, err := Module()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b,
			"  pin_file: %s\n  pkcs11:\n    module_path: %s\n    token_label: %s\n    environment: [%s]\n",
			p.pinFile(), module, TokenLabel, Variable)
	} else {
		fmt.Fprintf(&b, "  env:\n    secrets_file: %s\n", filepath.Join(p.Dir, "secrets.env"))
	}
	fmt.Fprintf(&b, "fleet:\n  beat: 1s\n  live: 4s\n  expect:\n    %s: %d\nkeys:\n", Role, Processes)
	for _, name := range Operators {
		fmt.Fprintf(&b, "  - %s\n", p.Key(name))
	}
	fmt.Fprintf(&b, "policy:\n  destroy_wait: %s\n", DestroyWait)
	fmt.Fprintf(&b, "rehearsal:\n  pin: %q\n  roster: %s\n", PIN, p.Roster())
	return write(p.Config(), b.String())
}

func write(path, text string) error { return file.Create(path, []byte(text)) }

func run(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", cmd.Args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}
