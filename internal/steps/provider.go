package steps

import (
	"errors"

	"github.com/certautopilot/kekceremony/internal/transcript"
)

// askProvider has people name the provider that the lock will hold permanently.
func askProvider() Step {
	return Step{
		Name: "provider", Title: "Provider",
		Why: "This ceremony locks the store to its provider. A lock is permanent.",
		Ask: &Form{Fields: []Field{{
			Name: "provider", Question: "Provider to lock this store to",
			Help: "the provider that the configuration names",
			Check: func(s *Site, answer string) (Facts, error) {
				if answer != s.Kind.Name() {
					return nil, errors.New("not the configured provider")
				}
				return Facts{transcript.FactProvider: answer}, nil
			},
			Propose: func(s *Site) string { return s.Kind.Name() },
		}}},
	}
}
