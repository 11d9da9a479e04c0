package status

import (
	"context"
	"errors"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// keys asks the provider for the key of every version, and for keys of no version.
func (st *Status) keys(ctx context.Context, s Site) error {
	if s.Provider == nil || !st.Installed {
		return nil
	}
	versions, known := st.history.Versions(), map[string]bool{}
	for _, v := range st.Versions {
		key, err := s.Provider.Find(ctx, versions.Name(st.lock.Chain, v.Version))
		if errors.Is(err, provider.ErrNoKey) {
			st.NoKey = append(st.NoKey, v.Version)
		} else if err != nil {
			return err
		}
		known[key.Name.Label] = true
		for _, value := range key.Attributes { // a provider may list it by one of them
			known[value] = true
		}
	}
	all, err := s.Provider.Ours(ctx)
	for _, label := range all {
		if !known[label] {
			st.NoVersion = append(st.NoVersion, printable.Text(label))
		}
	}
	return err
}
