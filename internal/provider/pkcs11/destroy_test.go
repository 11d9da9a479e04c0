package pkcs11_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// TestDestroy: what pkcs11-tool lists before and after. The other key stays, and works.
func TestDestroy(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	p := open(t, pkcs11test.Module(t))
	if err := logIn(t, p, pkcs11test.PIN); err != nil {
		t.Fatal(err)
	}
	ctx, one, two := t.Context(), kek.NameOf(chain, 1), kek.NameOf(chain, 2)
	for _, n := range []kek.Name{one, two} {
		if err := p.Generate(ctx, n); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wrap(ctx, n, dek(0)); err != nil { // its handle is known from now on
			t.Fatal(err)
		}
	}
	searched := func(n kek.Name, found string) {
		t.Helper()
		all, err := p.Search(ctx, n)
		want := "label " + n.Label + ", in every session: " + found + "; CKA_ID " + n.HexID() +
			", in every session: " + found
		if err != nil || provider.Evidence(all) != want {
			t.Errorf("%v, %s\nwant %s", err, provider.Evidence(all), want)
		}
	}
	searched(one, "1")
	if before := pkcs11test.Objects(t, pkcs11test.PIN); !strings.Contains(before, one.Label) {
		t.Fatalf("pkcs11-tool lists\n%s", before)
	}
	if err := errors.Join(p.Destroyable(ctx, one), p.Destroy(ctx, one)); err != nil {
		t.Fatal(err)
	}
	searched(one, "0")
	searched(two, "1")
	after := pkcs11test.Objects(t, pkcs11test.PIN)
	if strings.Contains(after, one.Label) || strings.Contains(after, one.HexID()) || !strings.Contains(after, two.Label) {
		t.Errorf("pkcs11-tool lists\n%s", after)
	}
	if _, err := p.Wrap(ctx, one, dek(0)); !errors.Is(err, provider.ErrNoKey) {
		t.Errorf("wrap with it: %v", err)
	}
	if _, err := p.Wrap(ctx, two, dek(0)); err != nil {
		t.Errorf("wrap with the other one: %v", err)
	}
	if err := p.Destroy(ctx, one); !errors.Is(err, provider.ErrNoKey) {
		t.Errorf("destroyed again: %v", err)
	}
}

// TestSearchAgain: a run that looks again at a destruction finds what the log says, however many sessions it has
// open. Else an interrupted ceremony could not be signed.
func TestSearchAgain(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	p := open(t, pkcs11test.Module(t))
	if err := logIn(t, p, pkcs11test.PIN); err != nil {
		t.Fatal(err)
	}
	items(t, p, 1)
	one := kek.NameOf(chain, 1)
	before, err := p.Search(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Probe(t.Context(), func(provider.Verdict) {}); err != nil { // it opens as many as are fast
		t.Fatal(err)
	}
	after, err := p.Search(t.Context(), one)
	if err != nil || provider.Evidence(after) != provider.Evidence(before) {
		t.Errorf("found %s, %v\nbefore %s", provider.Evidence(after), err, provider.Evidence(before))
	}
}

// TestDestroyRefused: the token says no (CKR_ACTION_PROHIBITED, CKR_USER_TYPE_INVALID), or there
// are two keys of the name. Nothing is destroyed. An answer that was lost is no refusal.
func TestDestroyRefused(t *testing.T) {
	p, fault := faulty(t)
	items(t, p, 1) // versions 1 and 2 are there
	one := kek.NameOf(chain, 1)
	for code, name := range map[string]string{"1b": "CKR_ACTION_PROHIBITED", "103": "CKR_USER_TYPE_INVALID"} {
		fault.Set("DestroyObject=1:" + code)
		err := p.Destroy(t.Context(), one)
		if !errors.Is(err, provider.ErrKept) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if all, err := p.Search(t.Context(), one); err != nil || !provider.Left(all) {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
	if err := p.Generate(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if err := p.Destroy(t.Context(), one); !errors.Is(err, provider.ErrAmbiguous) {
		t.Errorf("two keys of a name: %v", err)
	}
	fault.Set("DestroyObject=1:lost")
	err := p.Destroy(t.Context(), kek.NameOf(chain, 2))
	if errors.Is(err, provider.ErrKept) || !errors.Is(err, provider.ErrGone) {
		t.Errorf("an answer that was lost: %v", err)
	}
}
