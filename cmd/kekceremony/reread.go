package main

import (
	"errors"
	"reflect"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/term"
)

// errReread refuses a configuration that a running ceremony cannot take over.
var errReread = errors.New("the configuration has changed in more than its sections encryption, fleet and policy")

// sameBut refuses a configuration that differs from c in more than people correct while a ceremony runs: the
// provider's settings, the fleet and the policy. Anything else would be another ceremony's.
func sameBut(now, c config.Config) error {
	now.Encryption, now.Fleet, now.Policy = c.Encryption, c.Fleet, c.Policy
	if !reflect.DeepEqual(now, c) {
		return &usageError{errReread}
	}
	return nil
}

// rereading reads the configuration again for a ceremony that began with c, between two tries of a step.
func rereading(o *options, c config.Config, t *term.Terminal) func(engine.Parts) (engine.Parts, bool, error) {
	return func(p engine.Parts) (engine.Parts, bool, error) {
		now, err := o.readConfig()
		if err != nil {
			return p, false, err
		}
		keys := !reflect.DeepEqual(now.Encryption.Settings, c.Encryption.Settings)
		if now.Encryption.Provider != c.Encryption.Provider || keys && p.OpenedProvider != nil {
			return p, false, &usageError{errReread}
		}
		if err := sameBut(now, c); err != nil {
			return p, false, err
		}
		c = now
		configured(&p, c, t)
		return p, keys, nil
	}
}

// expecting reads again how many processes are expected, for a ceremony that began with c and waits for them. It
// takes nothing else over.
func expecting(o *options, c config.Config) func() (map[string]int, error) {
	return func() (map[string]int, error) {
		now, err := o.readConfig()
		if err != nil {
			return nil, err
		}
		return now.Fleet.Expect, sameBut(now, c)
	}
}
