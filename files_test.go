package kekceremony_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// direct are the calls that internal/file makes for all others.
var direct = []string{
	"os.Open", "os.OpenFile", "os.Create", "os.ReadFile", "os.WriteFile", "os.Rename", "os.Mkdir", "os.MkdirAll",
	"os.MkdirTemp", "unix.Open", "unix.Openat", "unix.Flock", "unix.Fsync", "unix.Rename",
}

// directly are the files that make such calls themselves: what they write need not last,
// and what they read is nobody's to bring.
var directly = map[string]string{
	"cmd/kekceremony/rehearse.go":         "os.MkdirTemp", // what is kept until people have seen it
	"cmd/kekceremony/rehearse_fleet.go":   "os.OpenFile",  // the output of a rehearsal's agents
	"cmd/kekceremony/tool.go":             "os.Open",      // this program itself
	"internal/provider/keeper/program.go": "os.OpenFile",  // likewise
	"internal/quorum/sign.go":             "os.WriteFile", // for ssh-keygen, in a directory that goes away
	"internal/quorum/stock.go":            "os.WriteFile", // likewise
	"internal/secret/secret.go":           "os.ReadFile",  // of the kernel
	"internal/secret/traced.go":           "os.ReadFile",  // likewise
	"internal/rehearsal/parts.go":         "os.Mkdir",     // of what is discarded
}

// TestOneWay: a file that must last is written, and one that people bring is read, by
// internal/file alone. Tools of tests and measurements do as they like.
func TestOneWay(t *testing.T) {
	free := []string{"internal/file", "internal/bench", "internal/house", "internal/transcript/transcripttest",
		"internal/provider/pkcs11/pkcs11test", "internal/store/mongo/mongotest", "internal/store/storetest",
		"cmd/kekceremony/testdata/attacker"}
	seen := map[string]bool{}
	for _, root := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
				slices.Contains(free, filepath.Dir(path)) {
				return err
			}
			calls, err := directCalls(path)
			for _, call := range calls {
				seen[path] = true
				if directly[path] != call {
					t.Errorf("%s calls %s: internal/file does that", path, call)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for path := range directly {
		if !seen[path] {
			t.Errorf("%s makes no such call: strike it off the list", path)
		}
	}
}

// directCalls lists which of direct a file names.
func directCalls(path string) (calls []string, err error) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if p, ok := s.X.(*ast.Ident); ok && slices.Contains(direct, p.Name+"."+s.Sel.Name) {
				calls = append(calls, p.Name+"."+s.Sel.Name)
			}
		}
		return true
	})
	return calls, nil
}
