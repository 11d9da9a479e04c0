// Package kek names key-encryption keys: their versions, the chain of
// ceremonies they belong to, and the label and CKA_ID each carries on a token.
package kek

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
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
	}
}

// HexID is the CKA_ID as lower-case hex, as transcripts and plans write it.
func (n Name) HexID() string { return hex.EncodeToString(n.ID) }
