package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// MaxFile bounds a file of YAML that people bring, in bytes.
const MaxFile = 64 << 10

const (
	maxDepth  = 8  // of brackets, and of "-" and "?" in a line
	maxIndent = 40 // spaces that a line begins with
)

// FormError is a file that is not given to the parser.
type FormError struct {
	Line int
	What string // not from the file
}

func (e *FormError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.What) }

// Decode reads YAML whose names are all known, each once. It refuses anchors and
// aliases, and what is nested deeper than any file of ours: ten levels of aliases, or
// 200,000 brackets, cost a YAML parser gigabytes: *FormError.
func Decode(data []byte, into any) error {
	if len(data) > MaxFile {
		return fmt.Errorf("more than %d bytes", MaxFile)
	}
	if err := shallow(lexer.Tokenize(string(data))); err != nil {
		return err
	}
	err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(into)
	if errors.Is(err, io.EOF) {
		return nil // an empty file
	}
	if err != nil {
		if f, broken := parser.ParseBytes(data, 0); broken == nil && len(f.Docs) > 0 {
			err = meant(err, f.Docs[0].Body, into)
		}
	}
	return err
}

// shallow refuses, before the parser, what would be deep.
func shallow(tokens token.Tokens) error {
	line, marks, depth := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, marks = t.Position.Line, 0
		}
		switch t.Type {
		case token.CommentType:
			continue // wherever it stands
		case token.DirectiveType:
			return &FormError{line, "directives are not read"}
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return &FormError{line, "anchors and aliases are not read"}
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType, token.MappingKeyType:
			marks++
		}
		if depth < 0 || depth > maxDepth || marks > maxDepth || t.Position.IndentNum > maxIndent {
			return &FormError{line, "nested too deep"}
		}
	}
	return nil
}
