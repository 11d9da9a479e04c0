// Package sqlite registers the store SQLite, which needs cgo. Import it for its init:
//
//	import _ "github.com/certautopilot/kekceremony/keyring/sqlite"
package sqlite

import (
	"context"
	"strings"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/plug"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

func init() {
	plug.Store(config.SQLite, func(ctx context.Context, name string) (store.Store, error) {
		return sqlite.Open(ctx, strings.TrimPrefix(name, config.SQLite))
	})
}
