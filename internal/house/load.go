package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/types"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// room is one package: its files, and which of them names what another one defines.
type room struct {
	name  string
	files []file
	// names[a][b] has what file b defines and file a names.
	names []map[int][]string
}

// file is one source file that is no test.
type file struct {
	name  string
	lines int
	funcs []int // lines of each function
}

// load reads packages, with their types. Tests are not among them.
func load(pattern string) ([]*packages.Package, error) {
	found, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes |
			packages.NeedTypesInfo | packages.NeedModule,
	}, pattern)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", pattern, err)
	}
	if packages.PrintErrors(found) > 0 {
		return nil, errors.New("the program does not compile")
	}
	return found, nil
}

func newRoom(p *packages.Package) room {
	r := room{name: strings.TrimPrefix(strings.TrimPrefix(p.PkgPath, p.Module.Path), "/")}
	place := map[string]int{}
	for _, syntax := range p.Syntax {
		path := p.Fset.Position(syntax.FileStart).Filename
		if !slices.Contains(p.GoFiles, path) {
			continue // what cgo generates
		}
		place[path] = len(r.files)
		r.files = append(r.files, newFile(p, syntax))
		r.names = append(r.names, map[int][]string{})
	}
	for ident, object := range p.TypesInfo.Uses {
		if object.Pkg() != p.Types || local(object) {
			continue
		}
		from, ok := place[p.Fset.Position(ident.Pos()).Filename]
		to, known := place[p.Fset.Position(object.Pos()).Filename]
		if ok && known && from != to {
			if names := r.names[from]; !slices.Contains(names[to], object.Name()) {
				names[to] = append(names[to], object.Name())
			}
		}
	}
	return r
}

// local says whether the object lives in a function: a parameter, a variable, a label.
func local(object types.Object) bool {
	if v, ok := object.(*types.Var); ok && v.IsField() {
		return false
	}
	if f, ok := object.(*types.Func); ok && f.Signature().Recv() != nil {
		return false
	}
	return object.Parent() != object.Pkg().Scope()
}

func newFile(p *packages.Package, syntax *ast.File) file {
	line := func(n ast.Node) (first, last int) {
		return p.Fset.Position(n.Pos()).Line, p.Fset.Position(n.End()).Line
	}
	f := file{
		name:  filepath.Base(p.Fset.Position(syntax.FileStart).Filename),
		lines: p.Fset.Position(syntax.FileEnd).Line,
	}
	for _, d := range syntax.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			first, last := line(fn)
			f.funcs = append(f.funcs, last-first+1)
		}
	}
	return f
}
