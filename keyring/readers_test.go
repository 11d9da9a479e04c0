package keyring_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/env"
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

// foreignOf is an envelope as text for the readers.
func foreignOf(t *testing.T, e keyring.Envelope) []byte {
	t.Helper()
	text, err := json.Marshal(foreign{hex.EncodeToString(e.WrappedDEK), hex.EncodeToString(e.Nonce),
		hex.EncodeToString(e.Ciphertext), e.KEKVersion, e.Provider})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// readers are those of docs/envelope.md, as commands.
var readers = map[string][]string{
	"Python":     {"python3", "../examples/envelope/envelope.py"},
	"JavaScript": {"node", "../examples/envelope/envelope.mjs"},
}

// read runs a reader; the error is what it says.
func read(t *testing.T, reader []string, in []byte, args ...string) ([]byte, error) {
	t.Helper()
	pkcs11test.Need(t, reader[0])
	cmd := exec.Command(reader[0], slices.Concat(reader[1:], args)...)
	cmd.Stdin = bytes.NewReader(in)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, errs.String())
	}
	return out, err
}

// TestReaders: what Go sealed, Python and JavaScript open, and the other way round, with
// additional authenticated data and without.
func TestReaders(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := h.open(keyring.Config{})
	secrets := filepath.Join(h.parts.Dir, "secrets.env")
	payload := []byte("Zürich \x00 und mehr")
	for name, reader := range readers {
		for _, aad := range []string{"", "Kunde 7 in Zürich"} {
			e, err := r.SealWithAAD(t.Context(), place, 1, payload, []byte(aad))
			if err != nil {
				t.Fatal(err)
			}
			text := foreignOf(t, e)
			if out, err := read(t, reader, text, "open", secrets, aad); err != nil || !bytes.Equal(out, payload) {
				t.Errorf("%s opens %q, %v", name, out, err)
			}
			if out, err := read(t, reader, text, "open", secrets, aad+"!"); err == nil {
				t.Errorf("%s opens %q with other AAD", name, out)
			}
			sealed, err := read(t, reader, payload, "seal", secrets, "1", aad)
			var theirs foreign
			if err := errors.Join(err, json.Unmarshal(sealed, &theirs)); err != nil {
				t.Fatal(err)
			}
			back, err := r.OpenWithAAD(t.Context(), place, 1, keyring.Envelope{WrappedDEK: unhex(t, theirs.WrappedDEK),
				Nonce: unhex(t, theirs.Nonce), Ciphertext: unhex(t, theirs.Ciphertext), KEKVersion: theirs.KEKVersion,
				Provider: theirs.Provider}, []byte(aad))
			if err != nil || !bytes.Equal(back, payload) {
				t.Errorf("what %s sealed opens as %q, %v", name, back, err)
			}
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

// vectors are the test vectors of docs/envelope.md.
func vectors(t *testing.T) map[string][]byte {
	t.Helper()
	page, err := os.ReadFile("../docs/envelope.md")
	if err != nil {
		t.Fatal(err)
	}
	v := map[string][]byte{}
	for _, row := range vector.FindAllStringSubmatch(string(page), -1) {
		v[row[1]] = unhex(t, row[2])
	}
	return v
}

// vectorText is what the payload of the vectors is.
const vectorText = "a secret of 25 characters"

func TestVectors(t *testing.T) {
	v := vectors(t)
	seal := func(key, iv, plaintext, aad []byte) []byte {
		t.Helper()
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		gcm, err := cipher.NewGCMWithNonceSize(block, len(iv))
		if err != nil {
			t.Fatal(err)
		}
		return gcm.Seal(nil, iv, plaintext, aad)
	}
	for size, name := range map[string]string{"60": "12", "64": "16"} {
		iv := v["IV of "+name+" bytes"]
		if got := slices.Concat(iv, seal(v["KEK"], iv, v["DEK"], nil)); !bytes.Equal(got, v["wrapped_dek, "+size+" bytes"]) {
			t.Errorf("wrapped_dek of %s bytes is %x", size, got)
		}
	}
	for name, aad := range map[string][]byte{"ciphertext": nil, "ciphertext with this AAD": v["AAD"]} {
		if got := seal(v["DEK"], v["nonce"], []byte(vectorText), aad); !bytes.Equal(got, v[name]) {
			t.Errorf("%s is %x", name, got)
		}
	}
}

// TestReadersVectors: Python and JavaScript open the vectors.
func TestReadersVectors(t *testing.T) {
	t.Parallel()
	v := vectors(t)
	secrets := filepath.Join(t.TempDir(), "secrets.env")
	if err := os.WriteFile(secrets, fmt.Appendf(nil, "%s=%x\n", env.Variable(1), v["KEK"]), 0o600); err != nil {
		t.Fatal(err)
	}
	for ciphertext, aad := range map[string][]string{"ciphertext": nil, "ciphertext with this AAD": {string(v["AAD"])}} {
		text := foreignOf(t, keyring.Envelope{WrappedDEK: v["wrapped_dek, 60 bytes"], Nonce: v["nonce"],
			Ciphertext: v[ciphertext], KEKVersion: 1, Provider: "env"})
		for name, reader := range readers {
			out, err := read(t, reader, text, append([]string{"open", secrets}, aad...)...)
			if err != nil || string(out) != vectorText {
				t.Errorf("%s opens %s as %q, %v", name, ciphertext, out, err)
			}
		}
	}
}
