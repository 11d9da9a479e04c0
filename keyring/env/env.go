// Package env registers the provider env. Import it for its init:
//
//	import _ "github.com/certautopilot/kekceremony/keyring/env"
package env

import (
	"github.com/certautopilot/kekceremony/internal/plug"
	"github.com/certautopilot/kekceremony/internal/provider/env"
)

func init() { plug.Provider(env.Config{}) }
