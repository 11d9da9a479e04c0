package quorum_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha512"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// sshsigBlob is a signature before its armor (openssh PROTOCOL.sshsig).
type sshsigBlob struct {
	Magic     [6]byte
	Version   uint32
	PublicKey string
	Namespace string
	Reserved  string
	Hash      string
	Signature string
}

// signedBlob is what is signed of a message.
type signedBlob struct {
	Magic     [6]byte
	Namespace string
	Reserved  string
	Hash      string
	Sum       string
}

// sha1Signer signs with an RSA key as ssh-rsa did: over SHA-1.
type sha1Signer struct{ key *rsa.PrivateKey }

func (s sha1Signer) sign(data []byte) *ssh.Signature {
	sum := sha1.Sum(data)
	blob, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA1, sum[:])
	if err != nil {
		panic(err)
	}
	return &ssh.Signature{Format: ssh.KeyAlgoRSA, Blob: blob}
}

// TestS10Blob: what PROTOCOL.sshsig does not allow, and what is too old, is refused,
// although its key made the signature.
func TestS10Blob(t *testing.T) {
	alice := transcripttest.Operator(t, "alice")
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	oldKey, err := ssh.NewSignerFromKey(old)
	if err != nil {
		t.Fatal(err)
	}
	sha512Sum, sha1Sum := sha512.Sum512, sha1.Sum
	statement := []byte("kekceremony statement v1\n")
	magic := [6]byte{'S', 'S', 'H', 'S', 'I', 'G'}
	for _, c := range []struct {
		name   string
		change func(b *sshsigBlob, s *signedBlob)
		rsa    bool
		says   string // empty: it is good
	}{
		{"good", func(*sshsigBlob, *signedBlob) {}, false, ""},
		{"version 2", func(b *sshsigBlob, _ *signedBlob) { b.Version = 2 }, false, "version"},
		{"version 0", func(b *sshsigBlob, _ *signedBlob) { b.Version = 0 }, false, "version"},
		{"reserved bytes", func(b *sshsigBlob, s *signedBlob) { b.Reserved, s.Reserved = "x", "x" }, false, ""},
		{"no namespace", func(b *sshsigBlob, s *signedBlob) { b.Namespace, s.Namespace = "", "" }, false, "namespace"},
		{"SHA-1 of the message", func(b *sshsigBlob, s *signedBlob) {
			sum := sha1Sum(statement)
			b.Hash, s.Hash, s.Sum = "sha1", "sha1", string(sum[:])
		}, false, "hash"},
		{"RSA over SHA-1", func(*sshsigBlob, *signedBlob) {}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			signer := alice.Signer
			if c.rsa {
				signer = oldKey
			}
			sum := sha512Sum(statement)
			b := sshsigBlob{magic, 1, string(signer.PublicKey().Marshal()), approveSpace, "", "sha512", ""}
			s := signedBlob{magic, approveSpace, "", "sha512", string(sum[:])}
			c.change(&b, &s)
			var sig *ssh.Signature
			if c.rsa {
				sig = sha1Signer{old}.sign(ssh.Marshal(s))
			} else if sig, err = signer.Sign(rand.Reader, ssh.Marshal(s)); err != nil {
				t.Fatal(err)
			}
			b.Signature = string(ssh.Marshal(*sig))
			roster := transcripttest.RosterOf(1, quorum.Production,
				transcripttest.Person{Name: "alice", Spaces: quorum.Purposes(), Signer: signer})
			r, err := quorum.ParseRoster([]byte(roster), quorum.Production)
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Check(approveSpace, quorum.Signed{
				Name:      "alice",
				Statement: statement,
				Signature: transcripttest.Armor(ssh.Marshal(b)),
				At:        time.Now(),
			})
			if good := c.name == "good"; good != (err == nil) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}
