// Package mongo registers the store MongoDB. Import it for its init:
//
//	import _ "github.com/certautopilot/kekceremony/keyring/mongo"
package mongo

import (
	"context"

	"github.com/certautopilot/kekceremony/internal/plug"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
)

func init() {
	open := func(ctx context.Context, uri string) (store.Store, error) { return mongo.Open(ctx, uri) }
	plug.Store("mongodb://", open)
	plug.Store("mongodb+srv://", open)
}
