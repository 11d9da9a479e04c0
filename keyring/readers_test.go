package keyring_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/keyring"
)

// foreign is an envelope as the readers of examples/envelope have it.
type foreign struct {
	WrappedDEK string `json:"wrapped_dek"`
	Nonce      string `json:"nonce"`
	Ciphertext string `json:"ciphertext"`
	KEKVersion int    `json:"kek_version"`
	Provider   string `json:"provider"`
}

// TestReaders: what Go sealed, Python and JavaScript open, and the other way round.
func TestReaders(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := h.open(keyring.Config{})
	secrets := filepath.Join(h.parts.Dir, "secrets.env")
	payload := []byte("Zürich \x00 und mehr")
	for name, reader := range map[string][]string{
		"Python":     {"python3", "../examples/envelope/envelope.py"},
		"JavaScript": {"node", "../examples/envelope/envelope.mjs"},
	} {
		pkcs11test.Need(t, reader[0])
		run := func(in []byte, args ...string) []byte {
			t.Helper()
			cmd := exec.Command(reader[0], append(reader[1:], args...)...)
			cmd.Stdin = bytes.NewReader(in)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, errs.String())
			}
			return out
		}
		e, err := r.Seal(t.Context(), place, 1, payload)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(foreign{hex.EncodeToString(e.WrappedDEK), hex.EncodeToString(e.Nonce),
			hex.EncodeToString(e.Ciphertext), e.KEKVersion, e.Provider})
		if err != nil {
			t.Fatal(err)
		}
		if out := run(text, "open", secrets); !bytes.Equal(out, payload) {
			t.Errorf("%s opens %q", name, out)
		}
		var theirs foreign
		if err := json.Unmarshal(run(payload, "seal", secrets, "1"), &theirs); err != nil {
			t.Fatal(err)
		}
		back, err := r.Open(t.Context(), place, 1, keyring.Envelope{WrappedDEK: unhex(t, theirs.WrappedDEK),
			Nonce: unhex(t, theirs.Nonce), Ciphertext: unhex(t, theirs.Ciphertext), KEKVersion: theirs.KEKVersion,
			Provider: theirs.Provider})
		if err != nil || !bytes.Equal(back, payload) {
			t.Errorf("what %s sealed opens as %q, %v", name, back, err)
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var vector = regexp.MustCompile("(?m)^\\| (.*) \\| `([0-9a-f]{24,})` \\|$")

// TestVectors: the test vectors of docs/envelope.md.
func TestVectors(t *testing.T) {
	page, err := os.ReadFile("../docs/envelope.md")
	if err != nil {
		t.Fatal(err)
	}
	v := map[string][]byte{}
	for _, row := range vector.FindAllStringSubmatch(string(page), -1) {
		v[row[1]] = unhex(t, row[2])
	}
	seal := func(key, iv, plaintext []byte) []byte {
		t.Helper()
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		gcm, err := cipher.NewGCMWithNonceSize(block, len(iv))
		if err != nil {
			t.Fatal(err)
		}
		return gcm.Seal(nil, iv, plaintext, nil)
	}
	for size, name := range map[string]string{"60": "12", "64": "16"} {
		iv := v["IV of "+name+" bytes"]
		if got := slices.Concat(iv, seal(v["KEK"], iv, v["DEK"])); !bytes.Equal(got, v["wrapped_dek, "+size+" bytes"]) {
			t.Errorf("wrapped_dek of %s bytes is %x", size, got)
		}
	}
	if got := seal(v["DEK"], v["nonce"], []byte("a secret of 25 characters")); !bytes.Equal(got, v["ciphertext"]) {
		t.Errorf("ciphertext is %x", got)
	}
}
