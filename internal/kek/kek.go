// Package kek names key-encryption keys: their versions, the chain of
// ceremonies they belong to, and the label and CKA_ID each carries on a token.
package kek

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
)

// Size is the length of a KEK and of a DEK in bytes (AES-256).
const Size = 32

// Version numbers a KEK. The first one is 1; 0 means "none".
type Version int

// MaxVersion bounds what a person or a file may name.
const MaxVersion Version = 999_999

// ParseVersion reads a decimal version between 1 and MaxVersion, written
// without sign, space or leading zero.
func ParseVersion(s string) (Version, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > int(MaxVersion) || strconv.Itoa(n) != s {
		return 0, fmt.Errorf("version %q: want a number from 1 to %d", s, MaxVersion)
	}
	return Version(n), nil
}

func (v Version) String() string { return strconv.Itoa(int(v)) }

// Chain identifies one store's unbroken line of ceremonies: 16 random bytes
// as 32 lower-case hex characters, drawn by install.
type Chain string

// NewChain draws the id of a new chain.
func NewChain() Chain {
	id := make([]byte, 16)
	rand.Read(id)
	return Chain(hex.EncodeToString(id))
}

// ParseChain checks the form of a chain id.
func ParseChain(s string) (Chain, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 16 || hex.EncodeToString(b) != s {
		return "", fmt.Errorf("chain %q: want 32 lower-case hex characters", s)
	}
	return Chain(s), nil
}

// Name is how one key is found: the same on every token and host of a chain.
type Name struct {
	Version Version
	Label   string // CKA_LABEL: kek-<first 8 of the chain>-v<version>
	ID      []byte // CKA_ID: first 16 bytes of SHA-256(chain | version as 8 bytes, big endian)
	Chain   Chain
	Bound   bool   // all that the key wraps is bound; the ceremony that made the version decided so
	Binding []byte // to what, in the call that is made with this name: To
}

// NameOf derives the name of version v in chain c (design section 5). It
// depends on nothing else, so a key whose creation was never answered is found
// again.
func NameOf(c Chain, v Version) Name {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(v))
	sum := sha256.Sum256(append([]byte(c), n[:]...))
	return Name{
		Version: v,
		Label:   fmt.Sprintf("kek-%.8s-v%d", string(c), v),
		ID:      sum[:16],
		Chain:   c,
	}
}

// HexID is the CKA_ID as lower-case hex, as transcripts and plans write it.
func (n Name) HexID() string { return hex.EncodeToString(n.ID) }

// ErrBinding is returned for a bound version where nothing says to what a value is bound.
var ErrBinding = errors.New("the version is bound to records, and the record is not known")

// To is the name for a call that wraps or unwraps what belongs to a binding.
func (n Name) To(binding []byte) Name {
	n.Binding = binding
	return n
}

// AAD is the additional authenticated data of a wrap or an unwrap: the binding under a bound version,
// and none under another. There is nothing in between: a reader that took both would let anyone take
// a binding off.
func (n Name) AAD() ([]byte, error) {
	if !n.Bound {
		return nil, nil
	}
	if len(n.Binding) == 0 {
		return nil, fmt.Errorf("version %d: %w", n.Version, ErrBinding)
	}
	return n.Binding, nil
}
