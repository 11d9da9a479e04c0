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

// rereading reads the configuration again for a ceremony that began with c. What people correct
// between two tries is the provider's settings, the fleet and the policy; anything else would be
// another ceremony's.
func rereading(o *options, c config.Config, t *term.Terminal) func(engine.Parts) (engine.Parts, bool, error) {
	return func(p engine.Parts) (engine.Parts, bool, error) {
		now, err := o.readConfig()
		if err != nil {
			return p, false, err
		}
		same := now
		same.Encryption, same.Fleet, same.Policy = c.Encryption, c.Fleet, c.Policy
		keys := !reflect.DeepEqual(now.Encryption.Settings, c.Encryption.Settings)
		fixed := now.Encryption.Provider != c.Encryption.Provider || keys && p.OpenedProvider != nil
		if fixed || !reflect.DeepEqual(same, c) {
			return p, false, &usageError{errReread}
		}
		c = now
		configured(&p, c, t)
		return p, keys, nil
	}
}
