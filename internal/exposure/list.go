// Package exposure knows which envelopes a compromised version of the KEK may have exposed. A
// re-wrap does not help such an envelope: somebody who has the key and an old copy of it has its
// data key. Only a new data key and payload do, and those are other bytes. So an envelope is
// known again by its payload, which no re-wrap touches.
package exposure

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/certautopilot/kekceremony/internal/file"
)

// size of the digest of a payload in bytes: the first ones of its SHA-256.
const size = 16

type digest [size]byte

// List is the payloads of envelopes, sorted. Two envelopes may have one payload.
type List []digest

// digestOf a payload is that of its nonce and its ciphertext. The nonce comes with its length, so that
// no byte moves between them.
func digestOf(nonce, ciphertext []byte) digest {
	h := sha256.New()
	h.Write([]byte{byte(len(nonce))})
	h.Write(nonce)
	h.Write(ciphertext)
	return digest(h.Sum(nil))
}

func (l List) sort() { slices.SortFunc(l, func(a, b digest) int { return bytes.Compare(a[:], b[:]) }) }

func (l List) has(d digest) bool {
	_, found := slices.BinarySearchFunc(l, d, func(a, b digest) int { return bytes.Compare(a[:], b[:]) })
	return found
}

// Bytes are those of the file: one digest after the other.
func (l List) Bytes() []byte {
	all := make([]byte, 0, len(l)*size)
	for _, d := range l {
		all = append(all, d[:]...)
	}
	return all
}

// SHA256 is that of the file, hex.
func SHA256(file []byte) string {
	sum := sha256.Sum256(file)
	return hex.EncodeToString(sum[:])
}

// Path of the file: beside a bundle, of which it is no part, under the beginning of its digest.
func Path(dir, bundle, sha256 string) string {
	return filepath.Join(dir, fmt.Sprintf(".%s.exposed.%.16s", bundle, sha256))
}

// maxFile bounds the file in bytes: of 16 million envelopes.
const maxFile = 256 << 20

// ErrOther: the file is not the one that a ceremony recorded.
var ErrOther = errors.New("it is not the list that the ceremony recorded")

// Read reads the list that a ceremony recorded with a digest.
func Read(path, want string) (List, error) {
	data, err := file.Read(path, file.Rules{Max: maxFile})
	if err != nil {
		return nil, err
	}
	if SHA256(data) != want || len(data)%size != 0 {
		return nil, ErrOther
	}
	l := make(List, 0, len(data)/size)
	for part := range slices.Chunk(data, size) {
		l = append(l, digest(part))
	}
	if !slices.IsSortedFunc(l, func(a, b digest) int { return bytes.Compare(a[:], b[:]) }) {
		return nil, ErrOther
	}
	return l, nil
}
