package envelope

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Place is where the records of a collection keep an envelope, and in which form.
type Place struct {
	Collection string
	Path       string // names joined by dots, [] after one that is an array: tokens[].secret
	Form
	Bind
}

// At is a place of the standard form.
func At(collection, path string) Place {
	return Place{Collection: collection, Path: path, Form: Standard()}
}

// String is the name of a place.
func (p Place) String() string { return p.Collection + "." + p.Path }

// Describe is the name of a place with what differs from the standard form, and what it declares for
// bound versions.
func (p Place) Describe() string {
	all := slices.DeleteFunc([]string{p.Form.String(), p.Bind.String()}, func(s string) bool { return s == "" })
	if len(all) > 0 {
		return p.String() + "{" + strings.Join(all, ",") + "}"
	}
	return p.String()
}

// Names are kept to what every store takes unquoted, or in plain quotes.
var (
	nameForm       = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`) // of a field: _id too
	collectionForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,119}$`)
	indexForm      = regexp.MustCompile(`\[\d+\]`)
)

// ParsePlace reads COLLECTION.PATH, a place of the standard form.
func ParsePlace(s string) (Place, error) {
	collection, path, _ := strings.Cut(s, ".")
	p := At(collection, path)
	return p, p.Check()
}

// Check refuses a place that no store could have, or that is a ceremony's own.
func (p Place) Check() error {
	if !IsCollection(p.Collection) || !isPath(p.Path, true) {
		return fmt.Errorf("place %q: want COLLECTION.PATH, with names of letters, digits and _, and [] after an array's", p)
	}
	if strings.HasPrefix(p.Collection, "kek_") || p.Collection == "process_heartbeats" {
		return fmt.Errorf("place %q: the collection is the ceremony's own", p)
	}
	if err := p.Bind.check(p); err != nil {
		return err
	}
	return p.Form.check(p)
}

// parts are the names of an envelope's parts.
func (f Form) parts() []string {
	names := []string{f.Parts.WrappedDEK, f.Parts.Nonce, f.Parts.Ciphertext, f.Parts.KEKVersion, f.Parts.Provider}
	if f.Parts.IV != "" {
		names = append(names, f.Parts.IV)
	}
	return names
}

func (f Form) check(p Place) error {
	names := f.parts()
	for i, name := range names {
		if !nameForm.MatchString(name) || slices.Contains(names[:i], name) {
			return fmt.Errorf("place %q: part %q: want names of letters, digits and _, each once", p, name)
		}
	}
	if !slices.Contains([]Encoding{Binary, Base64, Hex}, f.Bytes) {
		return fmt.Errorf("place %q: bytes %q: want binary, base64 or hex", p, f.Bytes)
	}
	if f.Outer != "" && !IsPath(f.Outer) {
		return fmt.Errorf("place %q: outer %q: want a path without arrays, or none", p, f.Outer)
	}
	return nil
}

// IsCollection reports whether a name can be that of a collection.
func IsCollection(name string) bool { return collectionForm.MatchString(name) }

// IsPath reports whether a path goes through objects alone.
func IsPath(path string) bool { return isPath(path, false) }

func isPath(path string, arrays bool) bool {
	for name := range strings.SplitSeq(path, ".") {
		if arrays {
			name = strings.TrimSuffix(name, "[]")
		}
		if !nameForm.MatchString(name) {
			return false
		}
	}
	return true
}

// HasArrays reports whether the path goes through an array.
func (p Place) HasArrays() bool { return strings.Contains(p.Path, "[]") }

// PlaceOf is the path of the place that an envelope's path belongs to: tokens[].secret of
// tokens[2].secret.
func PlaceOf(path string) string {
	if !strings.Contains(path, "[") { // most have no array, and each envelope is asked
		return path
	}
	return indexForm.ReplaceAllLiteralString(path, "[]")
}
