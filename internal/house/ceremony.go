package main

import (
	"go/ast"
	"go/types"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// ceremony is one kind of ceremony, and the files that name it: by its kind, or by the
// function that makes it. A new one touches as many.
type ceremony struct {
	kind  string
	files []string
}

// ceremonies finds, for each kind in the package transcript, the files that name it.
func ceremonies(all []*packages.Package) []ceremony {
	var found []ceremony
	for _, p := range all {
		if path.Base(p.PkgPath) != "transcript" {
			continue
		}
		for _, name := range p.Types.Scope().Names() {
			if _, ok := p.Types.Scope().Lookup(name).(*types.Const); ok && strings.HasPrefix(name, "Kind") {
				found = append(found, ceremony{name, filesNaming(all, name)})
			}
		}
	}
	return found
}

// filesNaming returns the files that use a kind, and those that use the function which the
// kind's own file in the package steps makes a ceremony by.
func filesNaming(all []*packages.Package, kind string) []string {
	makers := map[string]bool{} // by their full names: packages that import one have it as another object
	files := map[string]bool{}
	each := func(is func(types.Object) bool) {
		for _, p := range all {
			for ident, object := range p.TypesInfo.Uses {
				if is(object) {
					files[fileOf(p, ident)] = true
				}
			}
		}
	}
	each(func(o types.Object) bool { return o.Name() == kind })
	for _, p := range all {
		for ident, object := range p.TypesInfo.Defs {
			f, ok := object.(*types.Func)
			if ok && f.Exported() && makesCeremony(f) && files[fileOf(p, ident)] {
				makers[f.FullName()] = true
			}
		}
	}
	each(func(o types.Object) bool {
		f, ok := o.(*types.Func)
		return ok && makers[f.FullName()]
	})
	return slices.Sorted(maps.Keys(files))
}

// makesCeremony reports whether a function returns an engine.Ceremony and nothing else.
func makesCeremony(f *types.Func) bool {
	results := f.Signature().Results()
	return results.Len() == 1 && strings.HasSuffix(types.Unalias(results.At(0).Type()).String(), "engine.Ceremony")
}

// fileOf is where a name stands, from the repository's root.
func fileOf(p *packages.Package, name *ast.Ident) string {
	file := p.Fset.Position(name.Pos()).Filename
	return strings.TrimPrefix(strings.TrimPrefix(file, p.Module.Dir), "/")
}
