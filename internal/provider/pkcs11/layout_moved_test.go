//go:build torture

package pkcs11_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

const bindings = "github.com/miekg/pkcs11"

// TestLayoutMoved builds this package with changed copies of miekg/pkcs11. In one the
// function list has another place; it is found by its name. In the other it cannot be
// found, and that is refused before a module is loaded.
func TestLayoutMoved(t *testing.T) {
	pkcs11test.Module(t)
	for _, c := range []struct {
		name   string
		change []string // old, new, ...
		says   string
	}{
		{"moved", []string{"\tvoid *handle;\n\tCK_FUNCTION_LIST_PTR sym;\n",
			"\tCK_FUNCTION_LIST_PTR sym;\n\tlong more;\n\tvoid *handle;\n"}, "ok  \t"},
		{"renamed", []string{"c->sym", "c->list", "PTR sym;", "PTR list;"}, refusal},
	} {
		t.Run(c.name, func(t *testing.T) {
			if out := testWith(t, changed(t, c.change...)); !strings.Contains(out, c.says) {
				t.Errorf("want %q, got\n%s", c.says, out)
			}
		})
	}
}

// changed is a copy of miekg/pkcs11 in which each old text was replaced by a new one.
func changed(t *testing.T, oldnew ...string) string {
	t.Helper()
	source, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", bindings).Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(strings.TrimSpace(string(source)))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "pkcs11.go")
	text := read(t, path)
	if !strings.Contains(text, oldnew[0]) {
		t.Fatalf("miekg/pkcs11 has no %q", oldnew[0])
	}
	write(t, path, strings.NewReplacer(oldnew...).Replace(text))
	return dir
}

// testWith runs a test of this package that uses functions of the list, with another
// miekg/pkcs11, and returns what it printed.
func testWith(t *testing.T, dir string) string {
	t.Helper()
	mod := filepath.Join(t.TempDir(), "go.mod")
	write(t, mod, read(t, "../../../go.mod")+"\nreplace "+bindings+" => "+dir+"\n")
	write(t, filepath.Join(filepath.Dir(mod), "go.sum"), read(t, "../../../go.sum"))
	cmd := exec.Command("go", "test", "-count=1", "-modfile", mod, "-run", "^TestWrapOnSoftHSM$", ".")
	cmd.Env = append(os.Environ(), "GOPROXY=off")
	out, _ := cmd.CombinedOutput() // of a failed one, too
	return string(out)
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
