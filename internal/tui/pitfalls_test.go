package tui

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pitfalls are what bubbletea v1.3.10 (B), bubbles and huh v1.0.0 (H) do that a ceremony cannot have,
// each with the tests that show it closed or avoided, by directory from the repository's root.
var pitfalls = map[string][]string{
	"B1 a package init asks the terminal":     {"cmd/kekceremony TestVersionIsQuiet"},
	"B2 a second SIGTERM leaves the tty raw":  {"cmd/kekceremony TestStopOnEveryPage", "internal/tui TestSources"},
	"B3 SIGHUP is not handled":                {"cmd/kekceremony TestStopOnEveryPage"},
	"B4 a panic of a goroutine":               {"internal/tui/room TestPanic"},
	"B5 a Cmd cannot be cancelled":            {"internal/tui TestTakenBack"},
	"B6 Send blocks":                          {"internal/tui TestSources"},
	"B7 a lone ESC at the end of a read":      {"internal/tui TestLateEscape"},
	"B8 a size of 0x0":                        {"internal/tui TestNoSize", "cmd/kekceremony TestPlainByItself"},
	"B9 a high view loses its top":            {"internal/tui TestPagesKeepRules", "internal/tui TestHomePages"},
	"B10 60 frames, an alternate screen":      {"internal/tui TestBareTerminals", "cmd/kekceremony TestWritten"},
	"B11 no colors, no bold":                  {"internal/tui TestPagesKeepRules", "cmd/kekceremony TestWritten"},
	"B12 the progress bar ignores NO_COLOR":   {"internal/tui TestSources", "cmd/kekceremony TestWritten"},
	"B13 the locale is never looked at":       {"internal/tui TestGlyphs", "cmd/kekceremony TestPlainByItself"},
	"B14 ctrl+z stops the engine":             {"internal/tui TestDeadKeys", "internal/tui TestSources"},
	"B15 stdin that is no terminal":           {"cmd/kekceremony TestAtHome"},
	"B16 the last page goes with its screen":  {"internal/tui TestFarewell"},
	"B17 no screen reader follows":            {"cmd/kekceremony TestFacesAgree", "internal/tui/line TestWords"},
	"B18 data with escapes":                   {"cmd/kekceremony TestD01", "internal/tui TestPagesKeepRules"},
	"H1 Confirm by color alone":               {"internal/tui TestSources"},
	"H2 y completes a Confirm":                {"internal/tui TestSources", "internal/tui TestApprovalEnds"},
	"H3 shift+tab locks a form":               {"internal/tui TestDeadKeys"},
	"H4 a form takes the whole terminal":      {"internal/tui TestPagesKeepRules"},
	"H5 shrinking sticks":                     {"internal/tui TestResized"},
	"H6 a group cannot be scrolled":           {"internal/tui TestPages", "internal/tui TestPagesKeepRules"},
	"H7 a message arrives twice":              {"internal/tui TestPastedOnce"},
	"H8 Note eats characters":                 {"internal/tui TestSources"},
	"H9 ctrl+c blanks a form":                 {"internal/tui TestDeadKeys"},
	"H10 Func bindings":                       {"internal/tui TestSources"},
	"H11 accessible mode answers by itself":   {"internal/tui TestSources", "internal/tui/line TestEndOfInput"},
	"H12 accessible mode loses piped answers": {"internal/tui TestSources", "cmd/kekceremony TestFacesAgree"},
	"H13 a password prompt":                   {"internal/tui TestSources", "cmd/kekceremony TestKilledAtPIN"},
	"H14 selects, filters, empty groups":      {"internal/tui TestSources"},
	"H15 glyphs of a theme":                   {"internal/tui TestPagesKeepRules"},
	"H16 TERM=dumb switches a form":           {"internal/tui TestSources", "cmd/kekceremony TestAtHome"},
}

// TestPitfalls: each pitfall has a test, and each test is there.
func TestPitfalls(t *testing.T) {
	tests := map[string]bool{}
	for _, dir := range []string{"cmd/kekceremony", "internal/tui", "internal/tui/line", "internal/tui/room"} {
		for _, f := range parsed(t, filepath.Join("../..", dir), "*_test.go") {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") {
					tests[dir+" "+fn.Name.Name] = true
				}
			}
		}
	}
	for name, shown := range pitfalls {
		if len(shown) == 0 {
			t.Errorf("%s: no test", name)
		}
		for _, test := range shown {
			if !tests[test] {
				t.Errorf("%s: there is no %s", name, test)
			}
		}
	}
	for letter, n := range map[string]int{"B": 18, "H": 16} {
		for i := 1; i <= n; i++ {
			prefix := fmt.Sprintf("%s%d ", letter, i)
			if !slices.ContainsFunc(keysOf(pitfalls), func(name string) bool { return strings.HasPrefix(name, prefix) }) {
				t.Errorf("%s is not listed", prefix)
			}
		}
	}
}

func keysOf(m map[string][]string) (all []string) {
	for name := range m {
		all = append(all, name)
	}
	return all
}

func parsed(t *testing.T, dir, pattern string) (files []*ast.File) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(paths), err)
	}
	for _, path := range paths {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// TestSources: of huh there is one field of one group, of bubbles a text field, and nothing of bubbletea
// that sends from outside, runs a process, suspends, or catches signals.
func TestSources(t *testing.T) {
	used := map[string]bool{}
	for _, f := range parsed(t, ".", "*.go") {
		for _, spec := range f.Imports {
			if path := strings.Trim(spec.Path.Value, `"`); strings.Contains(path, "charmbracelet/bubbles/") {
				used[path] = true
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := s.X.(*ast.Ident); ok && (pkg.Name == "huh" || pkg.Name == "tea") {
					used[pkg.Name+"."+s.Sel.Name] = true
				}
				if s.Sel.Name == "Send" || s.Sel.Name == "WithAccessible" {
					used[s.Sel.Name] = true
				}
			}
			return true
		})
	}
	allowed := []string{"huh.FieldStyles", "huh.Form", "huh.Input", "huh.NewForm", "huh.NewGroup", "huh.NewInput",
		"huh.Theme", "huh.ThemeBase"}
	for name := range used {
		switch {
		case strings.HasPrefix(name, "huh.") && !slices.Contains(allowed, name),
			strings.HasPrefix(name, "github.com") && name != "github.com/charmbracelet/bubbles/textinput",
			slices.Contains([]string{"Send", "WithAccessible", "tea.Suspend", "tea.ExecProcess", "tea.Println"}, name):
			t.Errorf("%s is used", name)
		}
	}
	if !used["tea.WithoutSignalHandler"] {
		t.Error("bubbletea catches signals")
	}
}
