package steps_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// token is a provider with a serial, which may refuse to destroy.
type token struct {
	provider.Provider
	serial string
	keeps  bool
}

func (t token) Describe(ctx context.Context) (map[string]string, error) {
	about, err := t.Provider.Describe(ctx)
	if err == nil {
		about["serial"] = t.serial
	}
	return about, err
}

func (t token) Destroy(ctx context.Context, n kek.Name) error {
	if t.keeps {
		return fmt.Errorf("destroy key %s: CKR_ACTION_PROHIBITED: %w", n.Label, provider.ErrKept)
	}
	return t.Provider.Destroy(ctx, n)
}

// on has a run use another token, with the keys of a file.
func (r running) on(file, serial string, keeps bool) func(*engine.Parts) {
	return func(s *engine.Parts) {
		s.OpenProvider = func(context.Context, func(map[string]string) error) (provider.Provider, error) {
			p, err := env.Open(env.Config{SecretsFile: filepath.Join(r.parts.Dir, file)}, nil)
			return token{p, serial, keeps}, err
		}
	}
}

// TestDestroyCopies: the token refuses, and nothing is changed; then it does not, and a copy is
// unreachable. The version is destroyed when the copy is there again.
func TestDestroyCopies(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	if err := os.WriteFile(filepath.Join(r.parts.Dir, "5b1f.env"), []byte(r.secrets()), 0o600); err != nil {
		t.Fatal(err)
	}
	err := r.destroy(r.on("secrets.env", "0001", true))
	if !errors.Is(err, provider.ErrKept) || !strings.Contains(err.Error(), "CKR_ACTION_PROHIBITED") {
		t.Fatalf("the token refuses: %v", err)
	}
	r.stands(1, store.Disabled)
	if err := r.abortOn(r.on("secrets.env", "0001", false)); err != nil {
		t.Fatal(err)
	}
	if made := r.history().Versions().Made[1]; made.State != store.Disabled || !r.hasKey(1) {
		t.Errorf("after a refusal the logs say %s", made.State)
	}

	if err := r.destroy(r.on("secrets.env", "0001", false), "verdicts", "5b1f: unreachable"); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroying)
	all := bundles(t, r.parts, transcript.KindDestroy)
	if f := factsOf(t, all[len(all)-1]); f[transcript.FactCopies] != "5b1f: unreachable" || r.hasKey(1) {
		t.Errorf("open copies %q, the key is here: %t", f[transcript.FactCopies], r.hasKey(1))
	}
	if err := r.enable(1, nobody(r.parts)); !errors.Is(err, steps.ErrDestroyed) {
		t.Errorf("enable: %v", err)
	}
	if err := r.destroy(r.on("secrets.env", "0001", false)); !errors.Is(err, engine.ErrAnswer) {
		t.Errorf("no verdict on a copy that was recorded: %v", err)
	}

	if err := r.destroy(r.on("5b1f.env", "5b1f", false), "verdicts", "5b1f: unreachable"); err != nil {
		t.Fatalf("the copy is there again: %v", err)
	}
	r.stands(1, store.Destroyed)
	left, err := os.ReadFile(filepath.Join(r.parts.Dir, "5b1f.env"))
	if err != nil || strings.Contains(string(left), env.Variable(1)) {
		t.Errorf("the copy still has the key: %v", err)
	}
	r.whole()
}

// TestVerdicts: what people may say of a copy.
func TestVerdicts(t *testing.T) {
	opened := transcript.Facts{
		transcript.FactRecorded: "HSM 5b1f in safe B2, bob, 2026-11-23; HSM 77aa in safe B2, vendor, 2026-11-23"}
	i := 0
	var field engine.Field
	for _, s := range steps.Destroy(1).Steps(opened) {
		if s.Name == "verdicts" {
			field, i = s.Ask.Fields[0], i+1
		}
	}
	if i != 1 {
		t.Fatal("no question of verdicts")
	}
	const good = "5b1f: destroyed and searched for, bob, 2027-02-01; 77aa: "
	for answer, ok := range map[string]bool{
		good + "unreachable":                                  true,
		good + "vendor's backup until 2027-03-31":             true,
		good + "unreachable; 99: unreachable":                 true,
		"HSM 5b1f in safe B2: unreachable; 77aa: unreachable": true,
		// A word that both have, or that says nothing of the device, is no serial.
		"B2: unreachable":                                                           false,
		"5b1f: unreachable; B2: unreachable":                                        false,
		"5b1f: unreachable; vendor: unreachable":                                    false,
		"5b1f: unreachable; 2026-11-23: unreachable":                                false,
		"5b1f: unreachable; HSM: unreachable":                                       false,
		good + "unreachable; 77aa: destroyed and searched for, bob, 2027-02-01":     false,
		good + "unreachable; HSM 77aa in safe B2: vendor's backup until 2027-03-31": false,
		"none":                                false,
		"5b1f: unreachable":                   false,
		"5b1: unreachable; 77aa: unreachable": false,
		good + "gone":                         false,
		good + "vendor's backup until spring": false,
		good + "destroyed and searched for":   false,
	} {
		if _, err := field.Check(nil, answer); (err == nil) != ok {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

func factsOf(t *testing.T, bundle string) transcript.Facts {
	t.Helper()
	report, err := transcript.Verify(bundle)
	if err != nil {
		t.Fatal(err)
	}
	return report.Facts
}

// TestDestroyOtherToken: a copy is to be closed, and another token is in, which has no key of this chain. Nobody
// can say by it that the copy is gone.
func TestDestroyOtherToken(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	if err := r.destroy(r.on("secrets.env", "0001", false), "verdicts", "5b1f: unreachable"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.parts.Dir, "empty.env"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := r.destroy(r.on("empty.env", "5b1f", false), "verdicts", "5b1f: unreachable")
	if !errors.Is(err, steps.ErrCanary) {
		t.Errorf("got %v", err)
	}
	r.stands(1, store.Destroying)
}

// TestVerdictOnHere: a copy is described by the serial of the token that it was made of, which is here. A verdict on
// that serial is none on the copy.
func TestVerdictOnHere(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	if err := os.WriteFile(filepath.Join(r.parts.Dir, "clone.env"), []byte(r.secrets()), 0o600); err != nil {
		t.Fatal(err)
	}
	here := r.on("secrets.env", "0001", false)
	if err := r.destroy(here, "verdicts", "0001: unreachable"); !errors.Is(err, engine.ErrAnswer) {
		t.Errorf("the token that is here: %v", err)
	}
	r.stands(1, store.Disabled)
	if err := r.destroy(here, "verdicts", "clone of 0001 in safe B: unreachable"); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroying)
	if err := r.destroy(here, "verdicts", "0001: unreachable"); !errors.Is(err, engine.ErrAnswer) {
		t.Errorf("a word of the clone's name is the token that is here: %v", err)
	}
	r.stands(1, store.Destroying)
}

// TestDestroyOnClone: every ceremony ran with one token, and a destruction with a clone of it, of which nobody recorded
// that it is one. The token of the ceremonies needs a verdict.
func TestDestroyOnClone(t *testing.T) {
	t.Parallel()
	r := rotated(t, 3)
	s := r.site()
	s.Policy.DestroyWait = testWait
	r.on("secrets.env", "0001", false)(s)
	if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Disable(1)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.parts.Dir, "5b1f.env"), []byte(r.secrets()), 0o600); err != nil {
		t.Fatal(err)
	}
	clone, moved := r.on("5b1f.env", "5b1f", false), []string{"deviation.serial", "the clone", "verdicts"}
	if err := r.destroy(clone, append(moved, "none")...); !errors.Is(err, engine.ErrAnswer) ||
		!strings.Contains(err.Error(), "token 0001") {
		t.Errorf("no verdict on the token of the ceremonies: %v", err)
	}
	if err := r.destroy(clone, append(moved, "0001: unreachable")...); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroying)
	err := r.destroy(r.on("secrets.env", "0001", false), append(moved, "0001: unreachable")...)
	if err != nil || r.hasKey(1) {
		t.Errorf("the token is there: %v", err)
	}
	r.stands(1, store.Destroyed)
}
