package status

import (
	"context"
	"errors"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
)

// keys asks the provider for the key of every version, and for keys of no version.
func (st *Status) keys(ctx context.Context, s Site) error {
	if s.Provider == nil || !st.Installed {
		return nil
	}
	versions, known := st.history.Versions(), map[string]bool{}
	for i := range st.Versions {
		v := &st.Versions[i]
		key, err := s.Provider.Find(ctx, versions.Name(st.lock.Chain, v.Version))
		switch {
		case errors.Is(err, provider.ErrNoKey):
			if !st.gone(*v) {
				st.NoKey = append(st.NoKey, v.Version)
			}
		case err != nil:
			return err
		default:
			v.There = versions.Made[v.Version].State == store.Destroyed
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
