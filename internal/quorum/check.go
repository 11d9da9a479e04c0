package quorum

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/hiddeco/sshsig"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// Signed is a statement with the signature one person made over it.
type Signed struct {
	Name      string // of the signer
	Statement []byte
	Signature []byte // armored SSHSIG (openssh PROTOCOL.sshsig)
}

// ErrQuorum is returned when too few have signed.
var ErrQuorum = errors.New("too few signatures")

// Check verifies one signature in a namespace against the roster.
func (r Roster) Check(namespace string, s Signed) (Member, error) {
	fail := func(err error) (Member, error) {
		return Member{}, fmt.Errorf("signature of %s in %s: %w", s.Name, namespace, err)
	}
	m, ok := r.Member(s.Name)
	if !ok {
		return fail(errors.New("the roster has no such person"))
	}
	if !m.May(namespace) {
		return fail(errors.New("the roster does not allow it"))
	}
	sig, err := unarmor(s.Signature)
	if err != nil {
		return fail(err)
	}
	if sig.Namespace != namespace {
		return fail(fmt.Errorf("it was made in namespace %s", printable.Quote(sig.Namespace)))
	}
	if !bytes.Equal(sig.PublicKey.Marshal(), m.Key.Marshal()) {
		return fail(fmt.Errorf("it was made with another key than %s", m.Fingerprint()))
	}
	if err := sshsig.Verify(bytes.NewReader(s.Statement), sig, m.Key, sig.HashAlgorithm, namespace); err != nil {
		return fail(errors.New(printable.Text(err.Error())))
	}
	return m, nil
}

// CheckAll verifies each signature and that M distinct people with distinct
// keys made them. It returns their names.
func (r Roster) CheckAll(namespace string, all []Signed) ([]string, error) {
	var names []string
	keys := map[string]bool{}
	for _, s := range all {
		m, err := r.Check(namespace, s)
		if err != nil {
			return nil, err
		}
		if key := string(m.Key.Marshal()); !keys[key] {
			keys[key] = true
			names = append(names, m.Name)
		}
	}
	if len(names) < r.M {
		return names, fmt.Errorf("%s: %d of %d: %w", namespace, len(names), r.M, ErrQuorum)
	}
	return names, nil
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
