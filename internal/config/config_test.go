package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
)

// write makes a configuration file, with TR for a good transcripts directory.
func write(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	bundles := filepath.Join(dir, "tr")
	if err := os.Mkdir(bundles, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "TR", bundles)), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestExample reads the example of the docs, in which every key is named.
func TestExample(t *testing.T) {
	text, err := os.ReadFile("../../docs/config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	here := strings.Replace(string(text), "/var/lib/kekceremony/transcripts", "TR", 1)
	c, err := config.Read(write(t, here, 0o600), kinds...)
	if err != nil {
		t.Fatal(err)
	}
	if c.Fleet.Expect["worker"] != 2 || c.Encryption.Settings.(pkcs11.Config).IVFromHSM == nil || len(c.Keys) != 1 {
		t.Errorf("%+v", c)
	}
	names := keys(reflect.TypeOf(c))
	for _, k := range kinds {
		names = append(append(names, k.Name()), keys(reflect.TypeOf(k))...)
	}
	for _, name := range names {
		if !strings.Contains(string(text), name+":") {
			t.Errorf("the example does not name %s", name)
		}
	}
}

// kinds are the program's.
var kinds = []provider.Settings{env.Config{}, pkcs11.Config{}}

func keys(t reflect.Type) (names []string) {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("yaml")
		if name == "" {
			continue // not read from the file
		}
		if name != "-" && name != ",inline" {
			names = append(names, name)
		}
		names = append(names, keys(t.Field(i).Type)...)
	}
	return names
}

func TestRefused(t *testing.T) {
	const good = "store: sqlite:/s.db\ntranscripts: TR\nencryption: {provider: env}\n"
	for _, c := range []struct{ name, text, want string }{
		{"good", good, ""},
		{"empty sections", "store: sqlite:/s.db\ntranscripts: TR\nencryption:\n  provider: env\n  env:\n  pkcs11:\n", ""},
		{"empty", "", "store: want mongodb://HOST/DATABASE, or sqlite: and an absolute path"},
		{"unknown key", good + "sotre: x\n", `unknown field "sotre"; did you mean store?`},
		{"unknown key within", "store: sqlite:/s.db\ntranscripts: TR\nencryption: {provider: env, pin: 1234}\n",
			`unknown field "pin"`},
		{"unknown key of a section", good + "fleet: {beet: 30s, expect: {bet: 1}}\n",
			`unknown field "beet"; did you mean beat?`},
		{"unknown key of a section within", good + "adopted: {pointer: {colection: x}}\n",
			`unknown field "colection"; did you mean collection?`},
		{"unknown key of a provider",
			"store: sqlite:/s.db\ntranscripts: TR\nencryption:\n  provider: pkcs11\n  pkcs11: {modul_path: /x.so}\n",
			`unknown field "modul_path"; did you mean module_path?`},
		{"unknown key of a provider's identity", "encryption: {pkcs11: {identity_pub: /x}}\n",
			`unknown field "identity_pub"; did you mean identity_public?`},
		{"unknown provider", "encryption: {provider: pkcs11, pkcs: {}}\n", `unknown field "pkcs"; did you mean pkcs11?`},
		{"repeated key", good + "store: sqlite:/t.db\n", `mapping key "store" already defined`},
		{"no absolute directory", "store: sqlite:/s.db\ntranscripts: tr\n", "transcripts: "},
		{"open directory", "store: sqlite:/s.db\ntranscripts: /tmp\nencryption: {provider: env}\n",
			"want an absolute path of a directory of mode 0700"},
		{"exchange", good + "exchange: stick\n", `exchange: "stick": want an absolute path`},
		{"chain", good + "chain: abc\n", `chain "abc": want 32 lower-case hex characters`},
		{"live too short", good + "fleet: {beat: 30s, live: 40s}\n", "fleet: live is 40s, want at least twice beat, 30s"},
		{"negative warning", good + "policy: {warning: -1h}\n", "policy.warning: -1h0m0s: want 0 or more"},
		{"negative age", good + "policy: {max_age: -1h}\n", "policy.max_age: -1h0m0s: want 0, which is no limit, or more"},
		{"age within the warning", good + "policy: {max_age: 720h}\n",
			"policy.max_age: 720h0m0s: want more than policy.warning, 720h0m0s"},
		{"no provider", "store: sqlite:/s.db\ntranscripts: TR\n", `encryption.provider: "": want env or pkcs11`},
		{"module path", "store: sqlite:/s.db\ntranscripts: TR\nencryption: {provider: pkcs11, pkcs11: {module_path: x.so}}\n",
			"module_path: \"x.so\": want an absolute path"},
		{"token label",
			"store: sqlite:/s.db\ntranscripts: TR\nencryption: {provider: pkcs11, pkcs11: {module_path: /x.so}}\n",
			"encryption.pkcs11.token_label is missing"},
		{"catalogue", good + "catalogue: [a b.f]\n", `place "a b.f": want COLLECTION.PATH`},
		{"catalogue, no path", good + "catalogue: [{collection: users}]\n", `want COLLECTION.PATH, or collection and path`},
		{"catalogue, unknown key", good + "catalogue: [{collection: users, path: f, part: x}]\n",
			`unknown field "part"; did you mean parts?`},
		{"catalogue, a path", good + "catalogue: [{collection: users, path: 'a..b'}]\n", `place "users.a..b": want`},
		{"catalogue, a number", good + "catalogue: ['users.a.0.f']\n", `place "users.a.0.f": want`},
		{"catalogue, part twice", good + "catalogue: [{collection: u, path: f, parts: {nonce: x, iv: x}}]\n",
			`place "u.f": part "x": want names of letters, digits and _, each once`},
		{"catalogue, bytes", good + "catalogue: [{collection: u, path: f, bytes: b64}]\n",
			`place "u.f": bytes "b64": want binary, base64 or hex`},
		{"catalogue, outer", good + "catalogue: [{collection: u, path: f, outer: 'a[]'}]\n",
			`place "u.f": outer "a[]": want a path without arrays, or none`},
		{"catalogue, outer differs", good + "catalogue: [u.g, {collection: u, path: f, outer: none}]\n",
			`places "u.f" and "u.g": a record has one outer version`},
		{"catalogue, outer in the envelope", good + "catalogue: [{collection: u, path: f, outer: f.kek_version}]\n",
			`place "u.f": outer "f.kek_version" is in the envelope of "u.f"`},
		{"catalogue, twice", good + "catalogue: [u.a, u.a]\n", `place "u.a" stands twice`},
		{"catalogue, own", good + "catalogue: [kek_versions.a]\n", `the collection is the ceremony's own`},
		{"catalogue of our own", good + "catalogue: [kek_versions.canary]\n", "the collection is the ceremony's own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := config.Read(write(t, c.text, 0o644), kinds...)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestPassword: a file with the store's password is refused when others may read it.
func TestPassword(t *testing.T) {
	const text = "store: mongodb://u:hunter2@h/db\ntranscripts: TR\nencryption: {provider: env}\n"
	if _, err := config.Read(write(t, text, 0o600), kinds...); err != nil {
		t.Error(err)
	}
	_, err := config.Read(write(t, text, 0o640), kinds...)
	if !errors.Is(err, file.ErrMode) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	if _, err := config.Read(write(t, strings.Replace(text, "u:hunter2@", "", 1), 0o644), kinds...); err != nil {
		t.Error(err)
	}
}

// TestFile: the administrator may link the file, as Kubernetes does. What is larger than
// the limit is refused, not cut, and what is no file does not stop the command.
func TestFile(t *testing.T) {
	const text = "store: mongodb://h/db\ntranscripts: TR\nencryption: {provider: env}\n"
	path := write(t, text, 0o644)
	link, fifo := path+".link", path+".fifo"
	if err := errors.Join(os.Symlink(path, link), unix.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Read(link, kinds...); err != nil {
		t.Error(err)
	}
	if _, err := config.Read(fifo, kinds...); !errors.Is(err, file.ErrNotRegular) {
		t.Errorf("a FIFO: %v", err)
	}
	large := write(t, text+strings.Repeat("#\n", 1<<20), 0o644)
	if _, err := config.Read(large, kinds...); !errors.Is(err, file.ErrTooLarge) {
		t.Errorf("2 MB: %v", err)
	}
}
