// Package kekceremony_test holds the rules of the house: who may import whom.
package kekceremony_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/certautopilot/kekceremony/"

// TestImports keeps the direct imports of design section 2.
func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); seen++ {
		var p struct {
			ImportPath string
			Imports    []string
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
		{"internal/printable", "internal/secret"},
	} {
		if forbidden(c[0], c[1]) == "" {
			t.Errorf("%s may import %s", c[0], c[1])
		}
	}
}

func forbidden(from, to string) string {
	in := func(path, tree string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }
	child := func(path, tree string) bool { return strings.HasPrefix(path, tree+"/") }
	core := in(from, "internal/steps") || in(from, "internal/rewrap") || in(from, "internal/fleet")
	switch {
	case core && (child(to, "internal/provider") || child(to, "internal/store")):
		return "only the root packages provider and store"
	case in(from, "internal/provider") && in(to, "internal/store"), in(from, "internal/store") && in(to, "internal/provider"):
		return "provider and store do not know each other"
	case in(to, "github.com/miekg/pkcs11") && from != "internal/provider/pkcs11":
		return "only provider/pkcs11"
	case in(to, "go.mongodb.org/mongo-driver") && !in(from, "internal/store/mongo"):
		return "only store/mongo"
	case in(to, "github.com/charmbracelet") && !in(from, "internal/tui"):
		return "only tui"
	case in(from, "internal/tui") && (in(to, "internal/store") || in(to, "internal/quorum") && from != "internal/tui"):
		return "tui knows steps' types and transcript's"
	case in(from, "internal/printable") && strings.HasPrefix(to, "internal/"):
		return "printable is a leaf"
	}
	return ""
}
