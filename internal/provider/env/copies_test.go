package env_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/env"
)

// TestCopiesOfTheKey: a rotation wraps thousands of DEKs. Each use of a KEK left another
// expanded copy of it on the heap, which nobody wipes.
func TestCopiesOfTheKey(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nothing goes by chance
	key := bytes.Repeat([]byte{0x6b, 0x9d}, kek.Size/2)
	path := filepath.Join(t.TempDir(), "secrets.env")
	line := fmt.Sprintf("%s=%s\n", env.Variable(1), hex.EncodeToString(key))
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := env.Open(env.Config{SecretsFile: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	name := kek.NameOf(chain, 1)
	before := copies(t, key)
	dek := make([]byte, kek.Size)
	for i := range 400 {
		if _, err := p.Wrap(t.Context(), name, dek); err != nil {
			t.Fatal(err)
		}
		if i%100 == 0 { // the file is read again
			if _, err := p.Find(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	// At the start there are this test's copies and the provider's; stacks may come and go.
	if after := copies(t, key); before < 2 || after > before+8 {
		t.Errorf("400 uses of a key made %d copies of it %d", before, after)
	}
}

// copies counts a text in what this process may write to.
func copies(t *testing.T, text []byte) (n int) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	const window = 1 << 20
	part := make([]byte, window)
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var rights string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &rights); err != nil || !strings.HasPrefix(rights, "rw") {
			continue
		}
		for at := from; at < to; at += window {
			k, _ := mem.ReadAt(part[:min(window, to-at)], at) // some cannot be read
			n += bytes.Count(part[:k], text)
			clear(part)
		}
	}
	return n
}
