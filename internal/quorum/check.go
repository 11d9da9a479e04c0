package quorum

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hiddeco/sshsig"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// Signed is a statement with the signature one person made over it.
type Signed struct {
	Name      string // of the signer
	Statement []byte
	Signature []byte    // armored SSHSIG (openssh PROTOCOL.sshsig)
	At        time.Time // as the console claims it
}

// ErrQuorum is returned when too few have signed.
var ErrQuorum = errors.New("too few signatures")

// Proof is a signature that was checked.
type Proof struct {
	Member
	FIDO *FIDO // nil: the key is not on an authenticator
}

// Check verifies one signature in a namespace against the roster.
func (r Roster) Check(namespace string, s Signed) (Proof, error) {
	fail := func(err error) (Proof, error) {
		return Proof{}, fmt.Errorf("signature of %s in %s: %w", printable.Text(s.Name), namespace, err)
	}
	m, ok := r.Member(s.Name)
	if !ok {
		return fail(errors.New("the roster has no such person"))
	}
	if !m.May(namespace) {
		return fail(errors.New("the roster does not allow it"))
	}
	if err := m.At(s.At); err != nil {
		return fail(err)
	}
	sig, err := unarmor(s.Signature)
	if err != nil {
		return fail(err)
	}
	if sig.Namespace != namespace {
		return fail(fmt.Errorf("it was made in namespace %s", printable.Quote(sig.Namespace)))
	}
	if !bytes.Equal(sig.PublicKey.Marshal(), m.Key.Marshal()) {
		return fail(fmt.Errorf("it was made with a key other than %s", m.Fingerprint()))
	}
	if err := sshsig.Verify(bytes.NewReader(s.Statement), sig, m.Key, sig.HashAlgorithm, namespace); err != nil {
		return fail(errors.New(printable.Text(err.Error())))
	}
	fido, err := fidoOf(sig)
	if err == nil && fido != nil {
		err = fido.allowed(r.Verified)
	}
	if err != nil {
		return fail(err)
	}
	return Proof{m, fido}, nil
}

// Quorum demands that M distinct people with distinct keys have signed.
func (r Roster) Quorum(namespace string, all []Proof) error {
	names, keys := map[string]bool{}, map[string]bool{}
	for _, p := range all {
		names[p.Name], keys[p.blob] = true, true
	}
	if n := min(len(names), len(keys)); n < r.M {
		return fmt.Errorf("%s: %d of %d: %w", namespace, n, r.M, ErrQuorum)
	}
	return nil
}

// unarmor takes exactly what ssh-keygen writes: one armored block in lines of
// 70 characters, nothing before, within or after it.
func unarmor(b []byte) (*sshsig.Signature, error) {
	sig, err := sshsig.Unarmor(b)
	if err != nil {
		// The library's text may quote the file.
		return nil, fmt.Errorf("not a signature: %s", printable.Text(err.Error()))
	}
	if !bytes.Equal(armor(sig.Marshal()), b) {
		return nil, errors.New("the armor is not as ssh-keygen writes it")
	}
	return sig, nil
}

func armor(blob []byte) []byte {
	const width = 70
	var b bytes.Buffer
	b.WriteString("-----BEGIN SSH SIGNATURE-----\n")
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(blob)), width) {
		b.Write(line)
		b.WriteByte('\n')
	}
	b.WriteString("-----END SSH SIGNATURE-----\n")
	return b.Bytes()
}
