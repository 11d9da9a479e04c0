package pkcs11_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	miekg "github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// TestFaultIsSet: the fault module follows its file while it is in use.
func TestFaultIsSet(t *testing.T) {
	p, fault := faulty(t)
	all := items(t, p, 1)
	wrap := func() error {
		_, err := p.Wrap(t.Context(), kek.NameOf(chain, 1), dek(0))
		return err
	}
	for range 2 { // set again, it counts again
		fault.Set("# a comment", "EncryptInit=2:30")
		for n, want := range []error{nil, provider.ErrGone, nil} {
			if err := wrap(); !errors.Is(err, want) {
				t.Errorf("call %d: %v, want %v", n+1, err, want)
			}
		}
	}
	fault.Set("EncryptInit+1:sleep100", "EncryptInit+2:30")
	began := time.Now()
	if err := wrap(); err != nil || time.Since(began) < 100*time.Millisecond {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	if err := wrap(); !errors.Is(err, provider.ErrGone) {
		t.Errorf("got %v", err)
	}
	fault.Set()
	answers, err := p.Rewrap(t.Context(), all, kek.NameOf(chain, 2))
	if err != nil {
		t.Fatal(err)
	}
	right(t, p, all, answers)
	if l, k := fault.Count("login"), fault.Count("token"); l != 1 || k != 2 {
		t.Errorf("%d logins, %d keys on the token, want 1 and 2", l, k)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if n, busy := fault.Count("finalize"), fault.Count("finalize while busy"); n != 1 || busy != 0 {
		t.Errorf("finalized %d times, %d while busy", n, busy)
	}
}

// TestFaultLost: what was asked is done, and the answer says that it was not.
func TestFaultLost(t *testing.T) {
	p, fault := faulty(t, "GenerateKey=1:lost")
	n := kek.NameOf(chain, 1)
	if err := p.Generate(t.Context(), n); !errors.Is(err, provider.ErrGone) {
		t.Fatalf("got %v", err)
	}
	if _, err := p.Find(t.Context(), n); err != nil || fault.Count("token") != 1 {
		t.Errorf("%v, %d keys made", err, fault.Count("token"))
	}
}

// TestFaultHide: a hidden token is gone for anyone who uses it and for anyone who looks, and
// the other one takes its name.
func TestFaultHide(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label, pkcs11test.Label)
	fault := pkcs11test.NewFault(t)
	serials := serialsOf(t, fault.Module)
	if len(serials) != 2 || serials[0] == serials[1] {
		t.Fatalf("serials %v", serials)
	}
	fault.Set("hide "+serials[1], "as of-another")
	p := open(t, fault.Module)
	if about, _ := p.Describe(t.Context()); about["serial"] != "of-another" {
		t.Errorf("serial %s", about["serial"])
	}
	fault.Set("hide "+serials[0], "hide "+serials[1])
	if err := p.Generate(t.Context(), kek.NameOf(chain, 1)); !errors.Is(err, provider.ErrGone) ||
		!strings.Contains(err.Error(), "CKR_DEVICE_REMOVED") {
		t.Errorf("on a session: %v", err)
	}
	if err := logIn(t, p, pkcs11test.PIN); err == nil || !strings.Contains(err.Error(), "CKR_TOKEN_NOT_PRESENT") {
		t.Errorf("on its slot: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	hidden := pkcs11.Config{ModulePath: fault.Module, TokenLabel: pkcs11test.Label}
	if _, err := pkcs11.Open(hidden); !errors.Is(err, provider.ErrNoToken) {
		t.Errorf("found: %v", err)
	}
	fault.Set()
	if again := serialsOf(t, fault.Module); !slices.Equal(again, serials) {
		t.Errorf("shown again: %v, want %v", again, serials)
	}
}

// TestFaultRenumber: slots have other numbers, and are the same.
func TestFaultRenumber(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	fault := pkcs11test.NewFault(t)
	before, serials := slotsOf(t, fault.Module), serialsOf(t, fault.Module)
	fault.Set("renumber 1000")
	after := slotsOf(t, fault.Module)
	if len(before) != 1 || len(after) != 1 || after[0] != before[0]+1000 {
		t.Errorf("slots %v, want %v + 1000", after, before)
	}
	if again := serialsOf(t, fault.Module); !slices.Equal(again, serials) {
		t.Errorf("serials %v, want %v", again, serials)
	}
	p := open(t, fault.Module)
	if err := logIn(t, p, pkcs11test.PIN); err != nil {
		t.Fatal(err)
	}
	all := items(t, p, 2)
	answers, err := p.Rewrap(t.Context(), all, kek.NameOf(chain, 2))
	if err != nil {
		t.Fatal(err)
	}
	right(t, p, all, answers)
	p.Close()
	ctx := initialized(t, fault.Module)
	s, err := ctx.OpenSession(after[0], miekg.CKF_SERIAL_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := ctx.GetSessionInfo(s); err != nil || info.SlotID != after[0] {
		t.Errorf("a session's slot is %d, %v", info.SlotID, err)
	}
}

// TestFaultVendorGCM: AWS CloudHSM's own mechanism.
func TestFaultVendorGCM(t *testing.T) {
	const vendor = 0x80001087
	pkcs11test.NewTokens(t, pkcs11test.Label)
	fault := pkcs11test.NewFault(t, "vendor-gcm")
	ctx := initialized(t, fault.Module)
	slot := slotsIn(t, ctx)[0]
	list, err := ctx.GetMechanismList(slot)
	if err != nil {
		t.Fatal(err)
	}
	has := func(m uint) bool {
		return slices.ContainsFunc(list, func(l *miekg.Mechanism) bool { return l.Mechanism == m })
	}
	if has(miekg.CKM_AES_GCM) || !has(vendor) || !has(miekg.CKM_AES_KEY_GEN) {
		t.Error("the list is another one")
	}
	info, err := ctx.GetMechanismInfo(slot, []*miekg.Mechanism{miekg.NewMechanism(vendor, nil)})
	if err != nil || info.Flags != miekg.CKF_ENCRYPT|miekg.CKF_DECRYPT || info.MaxKeySize != kek.Size {
		t.Errorf("%+v, %v", info, err)
	}
	gcm := []*miekg.Mechanism{miekg.NewMechanism(miekg.CKM_AES_GCM, nil)}
	if _, err := ctx.GetMechanismInfo(slot, gcm); err != miekg.Error(miekg.CKR_MECHANISM_INVALID) {
		t.Errorf("CKM_AES_GCM: %v", err)
	}
	s, err := ctx.OpenSession(slot, miekg.CKF_SERIAL_SESSION|miekg.CKF_RW_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	if err := ctx.Login(s, miekg.CKU_USER, pkcs11test.PIN); err != nil {
		t.Fatal(err)
	}
	key, err := ctx.GenerateKey(s, []*miekg.Mechanism{miekg.NewMechanism(miekg.CKM_AES_KEY_GEN, nil)}, []*miekg.Attribute{
		miekg.NewAttribute(miekg.CKA_VALUE_LEN, kek.Size),
		miekg.NewAttribute(miekg.CKA_ENCRYPT, true),
		miekg.NewAttribute(miekg.CKA_DECRYPT, true),
	})
	if err != nil {
		t.Fatal(err)
	}
	by := func(m uint, iv []byte) []*miekg.Mechanism {
		return []*miekg.Mechanism{miekg.NewMechanism(m, miekg.NewGCMParams(iv, []byte("aad"), 128))}
	}
	err = ctx.EncryptInit(s, by(miekg.CKM_AES_GCM, make([]byte, 12)), key)
	if err != miekg.Error(miekg.CKR_MECHANISM_INVALID) {
		t.Errorf("CKM_AES_GCM: %v", err)
	}
	err = ctx.EncryptInit(s, by(vendor, make([]byte, 12)), key)
	if err != miekg.Error(miekg.CKR_MECHANISM_PARAM_INVALID) {
		t.Errorf("with an IV: %v", err)
	}
	var sealed [2][]byte
	for i := range sealed {
		if err := ctx.EncryptInit(s, by(vendor, nil), key); err != nil {
			t.Fatal(err)
		}
		if sealed[i], err = ctx.Encrypt(s, dek(7)); err != nil || len(sealed[i]) != 60 {
			t.Fatalf("%d bytes, %v", len(sealed[i]), err)
		}
	}
	if bytes.Equal(sealed[0][:12], sealed[1][:12]) {
		t.Error("the IV is the same twice")
	}
	for _, flip := range []byte{0, 1} {
		sealed[0][59] ^= flip
		if err := ctx.DecryptInit(s, by(vendor, nil), key); err != nil {
			t.Fatal(err)
		}
		back, err := ctx.Decrypt(s, sealed[0])
		if (err != nil) != (flip != 0) || err == nil && !bytes.Equal(back, dek(7)) {
			t.Errorf("flipped %d: %x, %v", flip, back, err)
		}
	}
	// The same bytes, without the vendor's mechanism.
	fault.Set()
	if err := ctx.DecryptInit(s, by(miekg.CKM_AES_GCM, sealed[1][:12]), key); err != nil {
		t.Fatal(err)
	}
	if back, err := ctx.Decrypt(s, sealed[1][12:]); err != nil || !bytes.Equal(back, dek(7)) {
		t.Errorf("%x, %v", back, err)
	}
}

// TestFaultBusy: C_Finalize while a call is inside is told apart.
func TestFaultBusy(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	fault := pkcs11test.NewFault(t, "GetInfo=1:wait")
	ctx := initialized(t, fault.Module)
	var inside sync.WaitGroup
	inside.Go(func() { _, _ = ctx.GetInfo() })
	fault.Await("wait", 0)
	if err := ctx.Finalize(); err != nil {
		t.Fatal(err)
	}
	fault.Set()
	inside.Wait()
	if n, busy := fault.Count("finalize"), fault.Count("finalize while busy"); n != 0 || busy != 1 {
		t.Errorf("finalized %d times, %d while busy", n, busy)
	}
}

// initialized loads a module by itself; it is finalized with the test.
func initialized(t *testing.T, module string) *miekg.Ctx {
	t.Helper()
	ctx := miekg.New(module)
	if ctx == nil {
		t.Fatal("not loaded")
	}
	if err := ctx.Initialize(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ctx.Finalize() })
	return ctx
}

func slotsIn(t *testing.T, ctx *miekg.Ctx) []uint {
	t.Helper()
	all, err := ctx.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(slot uint) bool { // SoftHSM2 has an empty one besides
		info, err := ctx.GetTokenInfo(slot)
		return err != nil || info.Flags&miekg.CKF_TOKEN_INITIALIZED == 0
	})
}

func slotsOf(t *testing.T, module string) []uint {
	t.Helper()
	ctx := initialized(t, module)
	defer ctx.Finalize()
	return slotsIn(t, ctx)
}

// serialsOf lists the serials of a module's tokens.
func serialsOf(t *testing.T, module string) (serials []string) {
	t.Helper()
	ctx := initialized(t, module)
	defer ctx.Finalize()
	for _, slot := range slotsIn(t, ctx) {
		info, err := ctx.GetTokenInfo(slot)
		if err != nil {
			t.Fatal(err)
		}
		serials = append(serials, info.SerialNumber)
	}
	slices.Sort(serials)
	return serials
}
