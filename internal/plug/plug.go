// Package plug is where the kinds of providers and stores register that a program was built
// with: an application imports those that it uses, for their init alone.
package plug

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
)

// OpenStore opens the store that a configuration names.
type OpenStore func(ctx context.Context, name string) (store.Store, error)

type kind struct {
	prefix string
	open   OpenStore
}

var (
	providers []provider.Settings
	stores    []kind
)

// Provider registers a kind of provider.
func Provider(s provider.Settings) { providers = append(providers, s) }

// Store registers a kind of store: names of it begin with a prefix.
func Store(prefix string, open OpenStore) { stores = append(stores, kind{prefix, open}) }

// Providers are those that are registered.
func Providers() []provider.Settings { return slices.Clone(providers) }

// Open opens a store by its configured name, which may hold a password and is never quoted.
func Open(ctx context.Context, name string) (store.Store, error) {
	for _, k := range stores {
		if strings.HasPrefix(name, k.prefix) {
			return k.open(ctx, name)
		}
	}
	scheme, _, _ := strings.Cut(name, ":")
	return nil, fmt.Errorf("store %s: this program was built without it; import its package of keyring", scheme)
}
