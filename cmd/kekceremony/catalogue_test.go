package main_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/seedtest"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// TestSuggest: of a database that an application made, the entries that the catalogue lacks are
// printed as the configuration takes them; nothing in it is changed, and no value of it is shown.
func TestSuggest(t *testing.T) {
	t.Parallel()
	keys := seedtest.Keys{1: bytes.Repeat([]byte{0x11}, 32), 2: bytes.Repeat([]byte{0x22}, 32)}
	for _, c := range []struct {
		name string
		open func(t *testing.T) (uri string, db seedtest.Database)
	}{
		{"sqlite", func(t *testing.T) (string, seedtest.Database) {
			path := filepath.Join(t.TempDir(), "s.db")
			return "sqlite:" + path, seedtest.NewSQLite(t, path)
		}},
		{"mongo", func(t *testing.T) (string, seedtest.Database) {
			server := mongotest.Start(t)
			uri := server.Fresh(t)
			return uri, mongotest.Application{Server: server, Database: uri}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			uri, db := c.open(t)
			for i := range 24 {
				seedtest.Write(t, db, keys, i, 1+i%2)
			}
			db.Put(t, "odd", "1", map[string]any{"a": map[string]any{"b-c": db.Get(t, "users", "record-000006")["mfa"]}})
			before := digest(t, uri)
			dir := t.TempDir()
			config := filepath.Join(dir, "config.yaml")
			write := func(entries string) {
				t.Helper()
				text := fmt.Sprintf("store: %s\ntranscripts: %s\nencryption: {provider: env}\n%s", uri, dir, entries)
				if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			write("")
			code, out, errs := run(t, "catalogue", "suggest", "--config", config)
			odd, entries, _ := strings.Cut(out, "  # 3 envelopes")
			if code != 6 || !strings.HasPrefix(out, "# The catalogue has 6 of the 9 places that were found.\ncatalogue:\n") ||
				!strings.Contains(odd, `unclear: place "odd.a.b-c.totp.seed": want COLLECTION.PATH`) ||
				!strings.Contains(entries, "nonce: base64 of 12 bytes") || strings.Contains(out, "secret of") {
				t.Errorf("exit %d\n%s%s", code, out, errs)
			}
			write(out) // as it was printed; what is unclear is a comment
			code, out, errs = run(t, "catalogue", "suggest", "--config", config)
			if code != 6 || !strings.HasPrefix(out, "# The catalogue has 8 of the 9 places that were found.\n") {
				t.Errorf("with the entries: exit %d\n%s%s", code, out, errs)
			}
			write(seedtest.Entries)
			if _, again, _ := run(t, "catalogue", "suggest", "--config", config); again != out {
				t.Errorf("with the entries of the application:\n%s", again)
			}
			if digest(t, uri) != before {
				t.Error("the database changed")
			}
		})
	}
}

// digest is that of a database's file; of a server, none.
func digest(t *testing.T, uri string) [32]byte {
	t.Helper()
	path, isFile := strings.CutPrefix(uri, "sqlite:")
	if !isFile {
		return [32]byte{}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(data)
}
