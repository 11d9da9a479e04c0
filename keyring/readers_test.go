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

// sealed is plaintext under AES-256-GCM.
func sealed(t *testing.T, key, iv, plaintext, aad []byte) []byte {
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

func TestVectors(t *testing.T) {
	v := vectors(t)
	for size, name := range map[string]string{"60": "12", "64": "16"} {
		iv := v["IV of "+name+" bytes"]
		got := slices.Concat(iv, sealed(t, v["KEK"], iv, v["DEK"], nil))
		if !bytes.Equal(got, v["wrapped_dek, "+size+" bytes"]) {
			t.Errorf("wrapped_dek of %s bytes is %x", size, got)
		}
	}
	for name, aad := range map[string][]byte{"ciphertext": nil, "ciphertext with this AAD": v["AAD"]} {
		if got := sealed(t, v["DEK"], v["nonce"], []byte(vectorText), aad); !bytes.Equal(got, v[name]) {
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

// TestReadersBound: Python and JavaScript make the AAD of a bound version from the vectors that Go
// makes it from, and open what is bound to that alone.
func TestReadersBound(t *testing.T) {
	t.Parallel()
	v := vectors(t)
	secrets := filepath.Join(t.TempDir(), "secrets.env")
	if err := os.WriteFile(secrets, fmt.Appendf(nil, "%s=%x\n", env.Variable(1), v["KEK"]), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../internal/binding/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for i, bound := range all {
		var to struct{ What, AAD string }
		if err := json.Unmarshal(bound, &to); err != nil {
			t.Fatal(err)
		}
		iv := v["IV of 12 bytes"]
		e := foreignOf(t, keyring.Envelope{WrappedDEK: slices.Concat(iv, sealed(t, v["KEK"], iv, v["DEK"], unhex(t, to.AAD))),
			Nonce: v["nonce"], Ciphertext: v["ciphertext"], KEKVersion: 1, Provider: "env"})
		for name, reader := range readers {
			out, err := read(t, reader, e, "open", secrets, "--bound", string(bound))
			if err != nil || string(out) != vectorText {
				t.Errorf("%s opens %s as %q, %v", name, to.What, out, err)
			}
			if i > 0 {
				continue
			}
			if out, err := read(t, reader, e, "open", secrets, "--bound", string(all[1])); err == nil {
				t.Errorf("%s opens %s of another record as %q", name, to.What, out)
			}
			if out, err := read(t, reader, e, "open", secrets); err == nil {
				t.Errorf("%s opens %s without its binding as %q", name, to.What, out)
			}
		}
	}
}
