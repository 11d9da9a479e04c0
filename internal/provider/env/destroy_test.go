package env_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
)

// TestDestroy: the line of one version leaves the file, and every other line stays.
func TestDestroy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.env")
	key := func(n, digit string) string { return env.Prefix + n + "=" + strings.Repeat(digit, 64) + "\n" }
	rest := "# by hand\n" + key("10", "b") + "OTHER=1\n" + key("2", "c")
	if err := os.WriteFile(path, []byte(key("1", "a")+rest+key("1", "a")), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := env.Open(env.Config{SecretsFile: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	one := kek.NameOf(chain, 1)
	searched := func(want string) {
		t.Helper()
		all, err := p.Search(t.Context(), one)
		if err != nil || provider.Evidence(all) != "variable "+env.Variable(1)+": 0; "+path+": "+want {
			t.Errorf("%v, %s", err, provider.Evidence(all))
		}
	}
	searched("2")
	if err := p.Destroy(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	searched("0")
	if text, err := os.ReadFile(path); err != nil || string(text) != rest {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := p.Find(t.Context(), one); !errors.Is(err, provider.ErrNoKey) {
		t.Errorf("find: %v", err)
	}
	for _, v := range []kek.Version{2, 10} {
		if err := p.Destroy(t.Context(), kek.NameOf(chain, v)); err != nil {
			t.Errorf("version %d: %v", v, err)
		}
	}
	if err := p.Destroyable(t.Context(), one); !errors.Is(err, provider.ErrNoKey) {
		t.Errorf("again: %v", err)
	}
}

// TestDestroyOfTheEnvironment: nobody can take a variable out of a process that runs.
func TestDestroyOfTheEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.env")
	line := env.Variable(1) + "=" + strings.Repeat("a", 64)
	if err := os.WriteFile(path, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := env.Open(env.Config{SecretsFile: path}, []string{line})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Destroy(t.Context(), kek.NameOf(chain, 1)); !errors.Is(err, provider.ErrKept) {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != line+"\n" {
		t.Errorf("%v\n%s", err, text)
	}
}
