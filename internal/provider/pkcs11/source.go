package pkcs11

import (
	"maps"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// reference is what a key wrapped when it was first used. Whichever key unwraps it
// later is that key, whatever its handle and its name say.
type reference struct{ value, wrapped []byte }

// source is a key by its handle, or why there is none.
type source struct {
	name kek.Name
	key  pkcs11.ObjectHandle
	ref  reference // none of the probe's key
	err  error
}

// keyring is the keys of a batch as one session knows them.
type keyring struct {
	to   source
	from map[kek.Version]source
	over func() bool // the batch is at an end, whatever becomes of this session's items
}

func (k keyring) clone() keyring { return keyring{k.to, maps.Clone(k.from), k.over} }
