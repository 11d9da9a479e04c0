package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/term"
)

// options are the flags that every command has.
type options struct {
	config  string
	store   string
	ui      string
	size    size // of the terminal
	ascii   bool
	answers string
	keys    []string
	json    bool

	args  []string // of this run, as people typed them
	rerun string   // the whole command that continues this run; empty: the same one
	next  string   // what a rehearsal does after this run

	rewraps   bool // rotate does; nothing else needs the provider in several processes
	processes int  // of rotate
	sessions  int  // of rotate
	bind      bool // of what makes a version
}

func (o *options) configPath() string {
	if o.config != "" {
		return o.config
	}
	return config.Default
}

// readConfig reads the file and what the flags put in its place.
func (o *options) readConfig() (config.Config, error) {
	c, err := config.Read(o.configPath(), providers...)
	if err != nil {
		return c, &usageError{&configError{o.configPath(), o.store, err}}
	}
	if o.store != "" {
		if err := config.CheckStore(o.store); err != nil {
			return c, &usageError{fmt.Errorf("--store: %w", err)}
		}
		c.SetBy("store", "--store")
		c.Store = o.store
	}
	if o.sessions > 0 {
		many, ok := c.Encryption.Settings.(provider.Sessions)
		if !ok {
			return c, &usageError{fmt.Errorf("--sessions: provider %s has none", c.Encryption.Provider)}
		}
		c.SetBy("encryption."+c.Encryption.Provider+".sessions", "--sessions")
		c.Encryption.Settings = many.WithSessions(o.sessions)
	}
	if err := o.spread(&c); err != nil {
		return c, err
	}
	if len(o.keys) > 0 {
		c.SetBy("keys", "--key")
		c.Keys = append(c.Keys, o.keys...)
	}
	o.useToken(c)
	return c, nil
}

// spread sets in how many processes the provider is kept.
func (o *options) spread(c *config.Config) error {
	spread, ok := c.Encryption.Settings.(provider.Processes)
	switch {
	case o.processes < 0 || o.sessions < 0:
		return &usageError{errors.New("--processes and --sessions: want a number of 0 or more")}
	case !ok && o.processes > 0:
		return &usageError{fmt.Errorf("--processes: provider %s is kept in one", c.Encryption.Provider)}
	case !ok:
	case !o.rewraps:
		c.Encryption.Settings = spread.WithProcesses(1)
	case o.processes > 0:
		c.SetBy("encryption."+c.Encryption.Provider+".processes", "--processes")
		c.Encryption.Settings = spread.WithProcesses(o.processes)
	}
	return nil
}

// useToken has the module find the token of a rehearsal that rehearse made, beside its configuration. Commands on it
// then need no variable before them. What else says that it is a rehearsal has its token where the variable says.
func (o *options) useToken(c config.Config) {
	if parts, made := o.rehearsalOf(c); made && parts.HasToken() {
		parts.Use()
	}
}

// rehearsalOf is the parts of the rehearsal whose configuration this is, if rehearse made it.
func (o *options) rehearsalOf(c config.Config) (rehearsal.Parts, bool) {
	path, err := filepath.Abs(o.configPath())
	if err != nil || c.Rehearsal == nil {
		return rehearsal.Parts{}, false
	}
	parts := rehearsal.Parts{Dir: filepath.Dir(path)}
	return parts, c.Rehearsal.Roster == parts.Roster() && slices.Contains(c.Keys, parts.Key(rehearsal.Operators[0]))
}

// terminal is nil when the run is unattended.
func (o *options) terminal() (*term.Terminal, error) {
	switch o.ui {
	case "none":
		return nil, nil
	case "auto":
		t, err := o.opened()
		if errors.Is(err, term.ErrNone) {
			return nil, nil
		}
		return t, err
	}
	return o.opened()
}

// opened is the terminal, as the flags say it is.
func (o *options) opened() (*term.Terminal, error) {
	t, err := term.Open()
	if err != nil {
		return nil, err
	}
	t.ASCII = o.ascii
	if o.size.given() {
		t.Resize(o.size.columns, o.size.rows)
	}
	return t, nil
}

// screen are the flags that say how a command of this program shows itself that this one runs.
func (o *options) screen() []string {
	flags := []string{"--ui", o.ui}
	if o.size.given() {
		flags = append(flags, "--size", o.size.String())
	}
	if o.ascii {
		flags = append(flags, "--ascii")
	}
	return flags
}

// plain reports whether the people at a terminal get line mode: who asks for it, and where the
// wizard could not draw a page, or nobody could read it.
func (o *options) plain(t *term.Terminal) bool {
	return o.ui == "line" ||
		o.ui == "auto" && (os.Getenv("TERM") == "dumb" || os.Getenv("ACCESSIBLE") != "" || !t.Sized())
}
