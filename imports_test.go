// Package kekceremony_test holds the rules of the house: who may import whom, how long a line may be.
package kekceremony_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/certautopilot/kekceremony/"

// TestImports keeps the direct imports of "The map" in docs/design.md.
func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-tags=torture,mutate,third",
		"-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); seen++ {
		var p struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, to := range p.Imports {
			if why := forbidden(from, strings.TrimPrefix(to, module)); why != "" {
				t.Errorf("%s imports %s: %s", from, to, why)
			}
		}
		for _, to := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if unstable(to) {
				t.Errorf("%s, or a test of it, imports %s, which its makers may change at any time", from, to)
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d packages were looked at", seen)
	}
}

func TestImportRulesRefuse(t *testing.T) {
	for _, c := range [][2]string{
		{"internal/steps", "internal/provider/pkcs11"},
		{"internal/rewrap", "internal/store/sqlite"},
		{"internal/provider/env", "internal/store"},
		{"internal/store/sqlite", "internal/provider"},
		{"internal/steps", "github.com/charmbracelet/lipgloss"},
		{"internal/fleet", "github.com/miekg/pkcs11"},
		{"cmd/kekceremony", "go.mongodb.org/mongo-driver/v2/bson"},
		{"internal/tui", "internal/store"},
		{"internal/tui", "internal/quorum"},
		{"internal/tui", "internal/steps"},
		{"internal/tui/line", "internal/signing"},
		{"internal/tui/line", "internal/tui"},
		{"internal/engine", "internal/steps"},
		{"internal/engine", "internal/tui"},
		{"internal/signing", "internal/engine"},
		{"internal/signing", "internal/transcript"},
		{"internal/audit", "internal/engine"},
		{"internal/status", "internal/steps"},
		{"internal/history", "internal/engine"},
		{"internal/transcript", "internal/store"},
		{"internal/printable", "internal/secret"},
		{"internal/file", "internal/secret"},
		{"keyring", "internal/provider/env"},
		{"keyring", "internal/store/mongo"},
		{"keyring", "internal/transcript"},
		{"internal/fleet", "keyring"},
		{"keyring", "go.mongodb.org/mongo-driver/v2/bson"},
		{"keyring/tinkaead", "go.mongodb.org/mongo-driver/v2/mongo"},
		{"keyring/tinkaead", "internal/envelope"},
		{"keyring/tinkaead", "github.com/tink-crypto/tink-go/v2/tink"},
	} {
		if forbidden(c[0], c[1]) == "" {
			t.Errorf("%s may import %s", c[0], c[1])
		}
	}
}

// unstable reports a package that the makers of the MongoDB driver keep for themselves.
func unstable(path string) bool { return strings.Contains(path+"/", "/x/mongo/") }

func TestUnstable(t *testing.T) {
	const driver = "go.mongodb.org/mongo-driver/v2/"
	for path, want := range map[string]bool{
		driver + "x/mongo/driver/topology": true, driver + "x/mongo": true, driver + "mongo": false, driver + "event": false,
	} {
		if unstable(path) != want {
			t.Errorf("%s: %v, want %v", path, !want, want)
		}
	}
}

// allowed are the packages of the house that a package may import, where that is fewer than
// the rules of forbidden leave.
var allowed = map[string][]string{
	"internal/tui": {"internal/engine", "internal/transcript", "internal/printable", "internal/tui/background",
		"internal/tui/room", "internal/tui/text"},
	"internal/tui/line": {"internal/engine", "internal/transcript", "internal/printable",
		"internal/tui/room", "internal/tui/text"},
	"internal/tui/room": {"internal/engine"},
	"internal/tui/text": {"internal/engine", "internal/transcript", "internal/printable", "internal/pgpwords"},
	"internal/pgpwords": {},
	"internal/replay": {"internal/engine", "internal/transcript", "internal/quorum", "internal/printable",
		"internal/signing"},
	"internal/signing":   {"internal/quorum", "internal/term", "internal/printable", "internal/file"},
	"internal/file":      {"internal/printable"},
	"internal/printable": {},
	"keyring": {"internal/binding", "internal/config", "internal/envelope", "internal/fleet", "internal/kek",
		"internal/login", "internal/plug", "internal/provider", "internal/secret", "internal/store"},
	"keyring/tinkaead": {},
}

// runs are the packages that run a ceremony; those that only read do not know them.
var runs = []string{"internal/engine", "internal/steps", "internal/tui", "internal/signing"}

func forbidden(from, to string) string {
	in := func(path, tree string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }
	child := func(path, tree string) bool { return strings.HasPrefix(path, tree+"/") }
	among := func(path string, all ...string) bool {
		return slices.ContainsFunc(all, func(tree string) bool { return in(path, tree) })
	}
	only, bound := allowed[from]
	switch {
	case bound && strings.HasPrefix(to, "internal/") && !slices.Contains(only, to):
		return "only " + strings.Join(only, ", ")
	case !among(from, "cmd", "keyring/env", "keyring/pkcs11", "keyring/mongo", "keyring/sqlite", "internal/provider",
		"internal/store", "internal/bench", "internal/rehearsal") &&
		(child(to, "internal/provider") || child(to, "internal/store")):
		return "only the root packages provider and store"
	case in(from, "internal/provider") && in(to, "internal/store"),
		in(from, "internal/store") && in(to, "internal/provider"):
		return "provider and store do not know each other"
	case in(to, "github.com/miekg/pkcs11") && from != "internal/provider/pkcs11":
		return "only provider/pkcs11"
	case in(to, "go.mongodb.org/mongo-driver") && !among(from, "internal/store/mongo", "examples") &&
		(from != "keyring/tinkaead" || to != "go.mongodb.org/mongo-driver/v2/bson"):
		return "only store/mongo, and an application; and its bson the adapter for Tink, whose ciphertext is a document"
	case in(to, "github.com/tink-crypto"):
		return "only tests: an application brings Tink itself"
	case in(to, "github.com/charmbracelet") && !in(from, "internal/tui"):
		return "only tui"
	case in(to, "internal/tui") && !among(from, "internal/tui", "cmd"):
		return "only cmd shows the wizard"
	case in(to, "keyring") && !among(from, "keyring", "cmd", "examples"):
		return "applications import the keyring, and nothing under it does"
	case in(to, "internal/steps") && !among(from, "cmd"):
		return "the engine runs ceremonies and knows none; only cmd puts them together"
	case among(from, "internal/history", "internal/status", "internal/audit", "internal/transcript") && among(to, runs...):
		return "readers run no ceremony"
	case in(from, "internal/transcript") && among(to, "internal/store", "internal/provider", "internal/fleet"):
		return "a transcript knows no store and no provider"
	}
	return ""
}
