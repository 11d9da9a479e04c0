package pkcs11_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
	"github.com/certautopilot/kekceremony/keyring"
	_ "github.com/certautopilot/kekceremony/keyring/pkcs11"
	_ "github.com/certautopilot/kekceremony/keyring/sqlite"
)

const (
	place = "dns_credentials.encrypted_api_key"
	size  = 200 // of the payload, in bytes
	calls = 50  // of each, in a pair
)

// BenchmarkShare measures Seal and Open against what they cannot do without, in turn: the same
// payload encryption, and C_EncryptInit and C_Encrypt, or C_DecryptInit and C_Decrypt, of the data
// key, through the same module, in a session of the same type, with the same key. An iteration is a
// pair of 50 calls of each; the share is the median of the pairs.
//
//	go test ./keyring/pkcs11 -run ^$ -bench Share -benchtime 301x -count 3
func BenchmarkShare(b *testing.B) {
	parts := install(b)
	r, err := keyring.Open(context.Background(), keyring.Config{File: parts.Config(), Role: rehearsal.Role})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.Close(context.Background()) })
	text := make([]byte, size)
	e, err := r.Seal(context.Background(), place, 1, text)
	if err != nil {
		b.Fatal(err)
	}
	raw := openRaw(b, e)
	b.Run("Seal", func(b *testing.B) {
		pairs(b, raw.seal, func() error {
			_, err := r.Seal(context.Background(), place, 1, text)
			return err
		})
	})
	b.Run("Open", func(b *testing.B) {
		pairs(b, raw.open, func() error {
			_, err := r.Open(context.Background(), place, 1, e)
			return err
		})
	})
}

// pairs times both in turn, and reports medians: of how many calls a second each does, and of the
// share that the second has of the first.
func pairs(b *testing.B, raw, ours func() error) {
	both := []func() error{raw, ours}
	var rates [2][]float64
	var shares []float64
	for b.Loop() {
		var rate [2]float64
		for i := range both {
			i = (i + len(shares)) % 2 // who is first takes turns
			rate[i] = timed(b, both[i])
			rates[i] = append(rates[i], rate[i])
		}
		shares = append(shares, rate[1]/rate[0])
	}
	b.ReportMetric(0, "ns/op") // of a pair
	b.ReportMetric(median(rates[0]), "raw/s")
	b.ReportMetric(median(rates[1]), "calls/s")
	b.ReportMetric(median(shares), "share")
}

// timed is how many calls a second there are.
func timed(b *testing.B, call func() error) float64 {
	began := time.Now()
	for range calls {
		if err := call(); err != nil {
			b.Fatal(err)
		}
	}
	return calls / time.Since(began).Seconds()
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// install makes a token and a store, and has the program run the install on them.
func install(b *testing.B) rehearsal.Parts {
	parts := rehearsal.Parts{Dir: filepath.Join(b.TempDir(), "r")}
	parts, err := rehearsal.Make(b.Context(), parts.Dir, "pkcs11", "sqlite:"+parts.Store(),
		func(ctx context.Context) error {
			db, err := sqlite.Create(ctx, parts.Store())
			if err != nil {
				return err
			}
			return db.Close()
		})
	if errors.Is(err, rehearsal.ErrNoSoftHSM) {
		b.Skip(err)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Setenv("SOFTHSM2_CONF", parts.Token())
	text, err := os.ReadFile(parts.Config())
	if err == nil { // with the defaults, and not a rehearsal's heartbeat each second
		calm := strings.NewReplacer("beat: 1s", "beat: 30s", "live: 4s", "live: 120s").Replace(string(text))
		err = os.WriteFile(parts.Config(), []byte(calm), 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	program := filepath.Join(b.TempDir(), "kekceremony")
	for _, args := range [][]string{
		{"go", "build", "-o", program, "../../cmd/kekceremony"},
		{program, "install", "--ui", "none", "--config", parts.Config(), "--answers", parts.Answers("install")},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			b.Fatalf("%s: %v\n%s", args[0], err, out)
		}
	}
	return parts
}

// raw is a session of its own in this process, on the token that the ring logged in to.
type raw struct {
	module  *pkcs11.Ctx
	session pkcs11.SessionHandle
	key     pkcs11.ObjectHandle
	sealed  keyring.Envelope
}

func openRaw(b *testing.B, e keyring.Envelope) raw {
	path, err := rehearsal.Module()
	if err != nil {
		b.Fatal(err)
	}
	r := raw{module: pkcs11.New(path), sealed: e}
	if err := r.module.Initialize(); !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		b.Fatalf("it is another module than the ring's: %v", err)
	}
	slots, err := r.module.GetSlotList(true)
	if err != nil {
		b.Fatal(err)
	}
	r.session, err = r.module.OpenSession(slots[0], pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.module.CloseSession(r.session) })
	err = r.module.FindObjectsInit(r.session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true)})
	if err != nil {
		b.Fatal(err)
	}
	keys, _, err := r.module.FindObjects(r.session, 2)
	if err := errors.Join(err, r.module.FindObjectsFinal(r.session)); err != nil || len(keys) != 1 {
		b.Fatalf("%d keys, %v", len(keys), err)
	}
	r.key = keys[0]
	return r
}

// mechanism is AES-GCM with an IV of 12 bytes and a tag of 128 bits.
func mechanism(iv []byte) (gcm *pkcs11.GCMParams, m []*pkcs11.Mechanism) {
	gcm = pkcs11.NewGCMParams(iv, nil, 128)
	return gcm, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, gcm)}
}

func (r raw) seal() error {
	dek, nonce, iv := make([]byte, 32), make([]byte, 12), make([]byte, 12)
	for _, random := range [][]byte{dek, nonce, iv} {
		rand.Read(random)
	}
	aead, err := newGCM(dek)
	if err != nil {
		return err
	}
	aead.Seal(nil, nonce, make([]byte, size), nil)
	gcm, m := mechanism(iv)
	defer gcm.Free()
	if err := r.module.EncryptInit(r.session, m, r.key); err != nil {
		return err
	}
	_, err = r.module.Encrypt(r.session, dek)
	return err
}

func (r raw) open() error {
	gcm, m := mechanism(r.sealed.WrappedDEK[:12])
	defer gcm.Free()
	if err := r.module.DecryptInit(r.session, m, r.key); err != nil {
		return err
	}
	dek, err := r.module.Decrypt(r.session, r.sealed.WrappedDEK[12:])
	if err != nil {
		return err
	}
	aead, err := newGCM(dek)
	if err != nil {
		return err
	}
	_, err = aead.Open(nil, r.sealed.Nonce, r.sealed.Ciphertext, nil)
	return err
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
