package env_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/provider/providertest"
)

const chain = kek.Chain("00112233445566778899aabbccddeeff")

func TestOpenRefuses(t *testing.T) {
	v1, v2 := env.Variable(1)+"=", env.Variable(2)+"="
	good := strings.Repeat("a1", 32)
	for _, c := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"62 characters", []string{v1 + good[:62]},
			"read the environment: " + env.Variable(1) + " has 62 characters, want 64 of hex"},
		{"63 characters", []string{v1 + good[:63]},
			"read the environment: " + env.Variable(1) + " has 63 characters, want 64 of hex"},
		{"65 characters", []string{v1 + good + "a"},
			"read the environment: " + env.Variable(1) + " has 65 characters, want 64 of hex"},
		{"not hex", []string{v1 + good[:63] + "g"},
			"read the environment: " + env.Variable(1) + " holds a character that is not hex"},
		{"equal keys", []string{v1 + good, v2 + strings.ToUpper(good)},
			env.Variable(1) + " and " + env.Variable(2) + " hold the same key"},
		{"given twice", []string{v1 + good, v1 + strings.Repeat("b2", 32)},
			"read the environment: " + env.Variable(1) + " is given twice with different values"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := env.Open(env.Config{}, c.environ)
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "a1a1") {
				t.Error("the value is in the error")
			}
		})
	}
}

func TestSecretsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.env")
	p, err := env.Open(env.Config{SecretsFile: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, one, two := t.Context(), kek.NameOf(chain, 1), kek.NameOf(chain, 2)
	if _, err := p.Find(ctx, one); !errors.Is(err, provider.ErrNoKey) {
		t.Fatal(err)
	}
	for _, n := range []kek.Name{one, two} {
		if err := p.Generate(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	// Another process reads the same keys.
	q, err := env.Open(env.Config{SecretsFile: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	dek := bytes.Repeat([]byte{9}, kek.Size)
	wrapped, err := p.Wrap(ctx, one, dek)
	if err != nil {
		t.Fatal(err)
	}
	out, err := q.Rewrap(ctx, []provider.Item{{From: one, Wrapped: wrapped}}, two)
	if err != nil || out[0].Err != nil {
		t.Fatal(err, out[0].Err)
	}
	into := make([]byte, kek.Size)
	if err := p.Unwrap(ctx, two, out[0].New, into); err != nil || !bytes.Equal(into, dek) {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = env.Open(env.Config{SecretsFile: path}, nil)
	want := "read " + path + ": mode 0644: want a regular file of mode 0600 or stricter"
	if !errors.Is(err, file.ErrMode) || err.Error() != want {
		t.Errorf("mode 0644: %v", err)
	}
}

func TestBound(t *testing.T) {
	p, err := env.Open(env.Config{SecretsFile: filepath.Join(t.TempDir(), "secrets.env")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	providertest.Bound(t, p)
}
