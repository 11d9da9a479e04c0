package config

import (
	"errors"
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

// decode reads the section, but for what has the name of a kind.
func (e *Encryption) decode(kinds []provider.Settings) error {
	type plain Encryption // without UnmarshalYAML
	common := e.section
	if section, ok := e.section.(*ast.MappingNode); ok {
		common, e.own = split(section, kinds)
	}
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.Name()
	}
	return decodeNode(common, (*plain)(e), names...)
}

// settings has each kind read its section, and what the environment sets of it. It returns those
// of every kind, and keeps the configured one.
func (e *Encryption) settings(kinds []provider.Settings, env *environment) (all []provider.Settings, err error) {
	for _, k := range kinds {
		read, err := k.Read(func(into any) error {
			if err := decodeNode(e.own[k.Name()], into); err != nil {
				return errors.New(cause(err))
			}
			return env.set(into, "encryption."+k.Name()+".")
		})
		if err != nil {
			return nil, err
		}
		if k.Name() == e.Provider {
			e.Settings = read
		}
		all = append(all, read)
	}
	return all, nil
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

// decodeNode is Decode for what was parsed already. Nothing, or an empty section, is nothing. More are
// keys that the section has and into has not.
func decodeNode(n ast.Node, into any, more ...string) error {
	if n == nil || n.Type() == ast.NullType {
		return nil
	}
	return meant(yaml.NodeToValue(n, into, yaml.Strict()), n, into, more...)
}
