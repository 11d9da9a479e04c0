package config

import (
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/certautopilot/kekceremony/internal/provider"
)

// UnmarshalYAML keeps the section until the kinds of providers are known.
func (e *Encryption) UnmarshalYAML(section ast.Node) error {
	e.section = section
	return nil
}

// decode reads the section: what has the name of a kind is read by that kind.
func (e *Encryption) decode(kinds []provider.Settings) error {
	type plain Encryption // without UnmarshalYAML
	section, ok := e.section.(*ast.MappingNode)
	if !ok {
		return decodeNode(e.section, (*plain)(e))
	}
	common, own := split(section, kinds)
	if err := decodeNode(common, (*plain)(e)); err != nil {
		return err
	}
	for _, k := range kinds {
		settings, err := k.Read(func(into any) error { return decodeNode(own[k.Name()], into) })
		if err != nil {
			return err
		}
		if k.Name() == e.Provider {
			e.Settings = settings
		}
	}
	return nil
}

// split takes the sections of kinds out of a section, by name.
func split(section *ast.MappingNode, kinds []provider.Settings) (common ast.Node, own map[string]ast.Node) {
	own = map[string]ast.Node{}
	var rest []*ast.MappingValueNode
	for _, v := range section.Values {
		name := v.Key.String()
		if slices.ContainsFunc(kinds, func(k provider.Settings) bool { return k.Name() == name }) {
			own[name] = v.Value
		} else {
			rest = append(rest, v)
		}
	}
	return ast.Mapping(section.Start, section.IsFlowStyle, rest...), own
}

// decodeNode is Decode for what was parsed already. Nothing, or an empty section, is nothing.
func decodeNode(n ast.Node, into any) error {
	if n == nil || n.Type() == ast.NullType {
		return nil
	}
	return yaml.NodeToValue(n, into, yaml.Strict())
}
