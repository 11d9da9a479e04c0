package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Adopted is about a database that an application made before there were ceremonies.
type Adopted struct {
	Records string   `yaml:"records"` // prefix of our own records; default: kekceremony_
	Pointer *Pointer `yaml:"pointer"` // absent: there is no rotation
}

// Pointer is where the application has the version that its writers use: a field of the one
// record that has some values.
type Pointer struct {
	Collection string         `yaml:"collection"`
	Filter     map[string]any `yaml:"filter"` // by field: text, a whole number, or true or false
	Field      string         `yaml:"field"`
}

var recordsForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}_$`)

// Prefix is that of our own records; empty: they have plain names.
func (a *Adopted) Prefix() string {
	switch {
	case a == nil:
		return ""
	case a.Records == "":
		return "kekceremony_"
	}
	return a.Records
}

// Theirs is the pointer as a store takes it; nil: there is none.
func (a *Adopted) Theirs() *store.Pointer {
	if a == nil || a.Pointer == nil {
		return nil
	}
	p := &store.Pointer{Collection: a.Pointer.Collection, Field: a.Pointer.Field, Filter: map[string]any{}}
	for name, value := range a.Pointer.Filter {
		if n, ok := value.(uint64); ok { // a whole number in YAML
			value = int64(n)
		}
		p.Filter[name] = value
	}
	return p
}

func (a *Adopted) check() error {
	if a == nil {
		return nil
	}
	if !recordsForm.MatchString(a.Prefix()) {
		return fmt.Errorf("adopted.records: %s: want lower-case letters, digits and _, with _ at the end",
			printable.Quote(a.Records))
	}
	if a.Prefix() == "kek_" {
		return errors.New("adopted.records: kek_ is the prefix of a database of ours")
	}
	if p := a.Theirs(); p != nil {
		if strings.HasPrefix(p.Collection, a.Prefix()) {
			return fmt.Errorf("adopted.pointer: collection %s: it is one of our own records", printable.Quote(p.Collection))
		}
		if err := p.Check(); err != nil {
			return fmt.Errorf("adopted.pointer: %w", err)
		}
	}
	return nil
}
