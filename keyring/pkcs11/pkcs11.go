// Package pkcs11 registers the provider pkcs11, which needs cgo. Import it for its init:
//
//	import _ "github.com/certautopilot/kekceremony/keyring/pkcs11"
package pkcs11

import (
	"github.com/certautopilot/kekceremony/internal/plug"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
)

func init() { plug.Provider(pkcs11.Config{}) }
