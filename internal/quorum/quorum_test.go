package quorum_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// TestQuorum: M signatures by fewer than M keys, and a witness's approval, are
// no quorum. The signatures are made by stock ssh-keygen.
func TestQuorum(t *testing.T) {
	dir := t.TempDir()
	space := quorum.Production.Namespace(quorum.Approve)
	text := "# quorum: 2\n"
	for _, name := range []string{"op1", "op2", "witness"} {
		key := filepath.Join(dir, name)
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		public, err := os.ReadFile(key + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		allowed := space
		if name == "witness" {
			allowed = quorum.Production.Namespace(quorum.Attend)
		}
		text += fmt.Sprintf("%s namespaces=%q %s", name, allowed, public)
	}
	r, err := quorum.ParseRoster([]byte(text), quorum.Production)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(name string) quorum.Signed {
		path := filepath.Join(dir, name+".statement")
		if err := os.WriteFile(path, []byte("the plan\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := quorum.OpenKeyFile(t.Context(), filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		sig, err := k.Sign(t.Context(), space, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return quorum.Signed{Name: name, Statement: []byte("the plan\n"), Signature: sig}
	}
	op1, op2, witness := signed("op1"), signed("op2"), signed("witness")
	if err := checkAll(r, space, []quorum.Signed{op1, op2}); err != nil {
		t.Errorf("two of two: %v", err)
	}
	if err := checkAll(r, space, []quorum.Signed{op1, op1}); !errors.Is(err, quorum.ErrQuorum) {
		t.Errorf("one key twice: %v", err)
	}
	if err := checkAll(r, space, []quorum.Signed{op1, witness}); err == nil ||
		!strings.Contains(err.Error(), "the roster does not allow it") {
		t.Errorf("a witness: %v", err)
	}
}

// checkAll verifies each signature, and that they make a quorum.
func checkAll(r quorum.Roster, namespace string, all []quorum.Signed) error {
	var proofs []quorum.Proof
	for _, s := range all {
		p, err := r.Check(namespace, s)
		if err != nil {
			return err
		}
		proofs = append(proofs, p)
	}
	return r.Quorum(namespace, proofs)
}
