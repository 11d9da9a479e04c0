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
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/store"
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

// Or is a list with what another one has beside it.
func (l List) Or(other List) List {
	all := slices.Clone(l)
	for _, d := range other {
		if !l.has(d) {
			all = append(all, d)
		}
	}
	all.sort()
	return all
}

// Without is what a list has beside another one.
func (l List) Without(other List) List { return slices.DeleteFunc(slices.Clone(l), other.has) }

// maxFile bounds a file of a list in bytes: 16 million envelopes.
const maxFile = 256 << 20

// bytes are those of a file: one digest after the other.
func (l List) bytes() []byte {
	all := make([]byte, 0, len(l)*size)
	for _, d := range l {
		all = append(all, d[:]...)
	}
	return all
}

// Write writes a list beside a bundle, in as many files as it needs, and returns the SHA-256 of each. An
// empty list is one empty file.
func (l List) Write(dir, bundle string) (sums []string, err error) {
	return l.write(dir, bundle, maxFile)
}

func (l List) write(dir, bundle string, most int) (sums []string, err error) {
	for first := true; err == nil && (first || len(l) > 0); first = false {
		n := min(len(l), most/size)
		data := l[:n].bytes()
		l = l[n:]
		sum := sha256.Sum256(data)
		sums = append(sums, hex.EncodeToString(sum[:]))
		err = file.Replace(pathOf(dir, bundle, sums[len(sums)-1]), data) // an earlier run may have written a part of it
	}
	return sums, err
}

// pathOf a file: beside a bundle, of which it is no part, under the beginning of its digest.
func pathOf(dir, bundle, sha256 string) string {
	return filepath.Join(dir, fmt.Sprintf(".%s.exposed.%.16s", bundle, sha256))
}

// Beside are the digests of all files of lists that are beside a bundle. One that is not whole is none.
func Beside(dir, bundle string) (sums []string, err error) {
	all, err := os.ReadDir(dir)
	for _, entry := range all {
		if !strings.HasPrefix(entry.Name(), filepath.Base(pathOf(dir, bundle, ""))) {
			continue
		}
		data, err := file.Read(filepath.Join(dir, entry.Name()), file.Rules{Max: maxFile})
		if err != nil {
			return nil, err
		}
		is := sha256.Sum256(data)
		if sum := hex.EncodeToString(is[:]); filepath.Base(pathOf(dir, bundle, sum)) == entry.Name() {
			sums = append(sums, sum)
		}
	}
	return sums, err
}

// ErrOther: the file is not the one that a ceremony recorded.
var ErrOther = errors.New("it is not the list that the ceremony recorded")

// Read reads the list that a ceremony recorded with the digests of its files.
func Read(dir, bundle string, sums []string) (all List, err error) {
	for _, sum := range sums {
		path := pathOf(dir, bundle, sum)
		data, err := file.Read(path, file.Rules{Max: maxFile})
		if err != nil {
			return nil, err
		}
		if is := sha256.Sum256(data); hex.EncodeToString(is[:]) != sum || len(data)%size != 0 {
			return nil, fmt.Errorf("%s: %w", path, ErrOther)
		}
		for part := range slices.Chunk(data, size) {
			all = append(all, digest(part))
		}
	}
	all.sort()
	return all, nil
}

// ReadAll reads what some ceremonies listed, from beside their bundles. It fails where this console lacks a part
// of it, or has another one.
func ReadAll(dir string, ceremonies []store.Ceremony, lists []history.Exposure) (all List, err error) {
	for _, e := range lists {
		i := slices.IndexFunc(ceremonies, func(c store.Ceremony) bool { return c.Seq == e.Ceremony })
		if i < 0 || dir == "" {
			return nil, fs.ErrNotExist
		}
		l, err := Read(dir, ceremonies[i].Bundle, e.Sums)
		if err != nil {
			return nil, err
		}
		all = all.Or(l)
	}
	return all, nil
}
