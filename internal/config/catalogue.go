package config

import (
	"errors"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/certautopilot/kekceremony/internal/envelope"
)

// Entry is a place of the catalogue: COLLECTION.PATH alone, or with what differs from the standard
// form.
type Entry struct {
	Collection string `yaml:"collection"`
	Path       string `yaml:"path"`  // names joined by dots, [] after one that is an array
	Parts      Parts  `yaml:"parts"` // names that differ
	Bytes      string `yaml:"bytes"` // binary, base64 or hex; default: binary
	Outer      string `yaml:"outer"` // path of the record's outer version, or none; default: kek_version
	Name       string `yaml:"name"`  // under which bound versions know the place; default: COLLECTION.PATH
	Key        string `yaml:"key"`   // field of an array's element that names it, for bound versions
	PayloadAAD bool   `yaml:"payload_aad"`

	name string // COLLECTION.PATH
}

// Parts are the names of an envelope's parts.
type Parts struct {
	WrappedDEK string `yaml:"wrapped_dek"`
	IV         string `yaml:"iv"` // of the wrapped DEK, where it is a part of its own
	Nonce      string `yaml:"nonce"`
	Ciphertext string `yaml:"ciphertext"`
	KEKVersion string `yaml:"kek_version"`
	Provider   string `yaml:"provider"`
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (e *Entry) UnmarshalYAML(node ast.Node) error {
	if _, isMapping := node.(*ast.MappingNode); isMapping {
		type plain Entry // without this method
		return yaml.NodeToValue(node, (*plain)(e), yaml.Strict())
	}
	return yaml.NodeToValue(node, &e.name)
}

func (e Entry) place() (envelope.Place, error) {
	if e.name != "" {
		return envelope.ParsePlace(e.name)
	}
	if e.Collection == "" || e.Path == "" {
		return envelope.Place{}, errors.New("want COLLECTION.PATH, or collection and path")
	}
	p := envelope.At(e.Collection, e.Path)
	p.Bind = envelope.Bind{Name: e.Name, Key: e.Key, PayloadAAD: e.PayloadAAD}
	instead := func(into *string, name string) {
		if name != "" {
			*into = name
		}
	}
	instead(&p.Parts.WrappedDEK, e.Parts.WrappedDEK)
	instead(&p.Parts.IV, e.Parts.IV)
	instead(&p.Parts.Nonce, e.Parts.Nonce)
	instead(&p.Parts.Ciphertext, e.Parts.Ciphertext)
	instead(&p.Parts.KEKVersion, e.Parts.KEKVersion)
	instead(&p.Parts.Provider, e.Parts.Provider)
	instead((*string)(&p.Bytes), e.Bytes)
	if instead(&p.Outer, e.Outer); p.Outer == "none" {
		p.Outer = ""
	}
	return p, p.Check()
}
