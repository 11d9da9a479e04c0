// Package transcripttest makes bundles with keys of its own: good ones, and ones that
// an attacker might make, who can write everything again but the signatures of others.
package transcripttest

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// Person is somebody with a key.
type Person struct {
	Name   string
	Spaces []quorum.Purpose
	Signer ssh.Signer
}

// Operator may sign everything.
func Operator(t testing.TB, name string) Person {
	return Person{name, quorum.Purposes(), software(t, name)}
}

// Witness attends and signs the end.
func Witness(t testing.TB, name string) Person {
	return Person{name, []quorum.Purpose{quorum.Attend, quorum.Final}, software(t, name)}
}

// Touching is an operator whose key is on an authenticator made of software.
func Touching(t testing.TB, name string) Person {
	return Person{name, quorum.Purposes(), NewAuthenticator(t, name)}
}

// seed makes the same key of the same name each time.
func seed(name string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte("kekceremony test key of " + name))
	return ed25519.NewKeyFromSeed(sum[:])
}

func software(t testing.TB, name string) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(seed(name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// PrivateKey is the key as ssh-keygen keeps it in a file.
func PrivateKey(t testing.TB, name string) *bytes.Buffer {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(crypto.PrivateKey(seed(name)), name)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewBuffer(pemOf(block))
}

// Line is the person's line of a roster.
func (p Person) Line(mode quorum.Mode) string {
	var spaces []string
	for _, s := range p.Spaces {
		spaces = append(spaces, mode.Namespace(s))
	}
	return fmt.Sprintf("%s namespaces=%q %s",
		p.Name, strings.Join(spaces, ","), ssh.MarshalAuthorizedKey(p.Signer.PublicKey()))
}

// RosterOf is the text of a roster.
func RosterOf(m int, mode quorum.Mode, people ...Person) string {
	text := fmt.Sprintf("# quorum: %d\n", m)
	for _, p := range people {
		text += p.Line(mode)
	}
	return text
}

// Sign signs a statement in a namespace.
func (p Person) Sign(t testing.TB, namespace string, statement []byte) []byte {
	t.Helper()
	sig, err := sshsig.Sign(bytes.NewReader(statement), p.Signer, sshsig.HashSHA512, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return Armor(sig.Marshal())
}

// Authenticator is a FIDO key made of software (PROTOCOL.u2f): it says that it was
// touched when it is told to.
type Authenticator struct {
	Flags   byte
	Counter uint32
	Step    uint32 // by which the counter grows
	key     ed25519.PrivateKey
	public  ssh.PublicKey
}

const application = "ssh:"

// NewAuthenticator is touched, and counts from 1.
func NewAuthenticator(t testing.TB, name string) *Authenticator {
	t.Helper()
	a := &Authenticator{Flags: 0x01, Step: 1, key: seed(name)}
	public, err := ssh.ParsePublicKey(ssh.Marshal(struct{ Type, Key, Application string }{
		ssh.KeyAlgoSKED25519, string(a.key.Public().(ed25519.PublicKey)), application}))
	if err != nil {
		t.Fatal(err)
	}
	a.public = public
	return a
}

// PublicKey implements ssh.Signer.
func (a *Authenticator) PublicKey() ssh.PublicKey { return a.public }

// Sign implements ssh.Signer.
func (a *Authenticator) Sign(_ io.Reader, data []byte) (*ssh.Signature, error) {
	a.Counter += a.Step
	app, message := sha256.Sum256([]byte(application)), sha256.Sum256(data)
	rest := binary.BigEndian.AppendUint32([]byte{a.Flags}, a.Counter)
	signed := append(append(app[:], rest...), message[:]...)
	return &ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: ed25519.Sign(a.key, signed), Rest: rest}, nil
}
