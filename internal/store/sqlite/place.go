package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// located is a place with where its table has it: in columns of its own, of which each has the
// place's path and a part's name, or in one column of JSON, which the path begins with.
type located struct {
	envelope.Place
	json     string // the column of JSON; empty: it has columns of its own
	payloads bool   // the columns of the payload are read too
	names    names
}

// names are those of a place's columns in a statement. They are spelled once, not for each record.
type names struct {
	read       []string // the columns that a swap compares
	payload    int      // columns of the payload that are read
	kekVersion string   // of a place with columns of its own
	version    string   // what that says of the version
}

func (l located) spelled() located {
	l.names.read = l.read()
	if l.json == "" {
		l.names.kekVersion, l.names.version = l.column(l.Parts.KEKVersion), l.version()
	}
	return l
}

// withPayloads is the place with the columns of its payload, or without them.
func (l located) withPayloads(read bool) located {
	l.payloads = read
	l.names.payload = len(l.payload())
	return l
}

// column is that of a part.
func (l located) column(part string) string { return quote(l.Path + "_" + part) }

// version is the version that the place's own column says.
func (l located) version() string { return version(l.column(l.Parts.KEKVersion)) }

// there is the condition that the record has something at the place.
func (l located) there() string {
	if l.json != "" {
		return quote(l.json) + " IS NOT NULL"
	}
	return l.column(l.Parts.WrappedDEK) + " IS NOT NULL"
}

// read are the columns that a swap compares.
func (l located) read() (columns []string) {
	if l.json != "" {
		return []string{quote(l.json)}
	}
	for _, part := range l.Wrapped() {
		columns = append(columns, l.column(part))
	}
	return columns
}

// payload are the columns of the payload, if they are read.
func (l located) payload() []string {
	if !l.payloads || l.json != "" {
		return nil
	}
	return []string{l.column(l.Parts.Nonce), l.column(l.Parts.Ciphertext)}
}

// quote is a name of a table or a column in SQL.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// version is what a column says of a version, also as a real number where that is the
// column's type: anything but a version is 0, so that
// nothing an application or an attacker wrote there hides an envelope from the census. It stands in triggers,
// which the SQLite of an application runs: of any version, so no iif.
func version(column string) string {
	return fmt.Sprintf("CASE WHEN typeof(%[1]s) IN ('integer', 'real') AND %[1]s BETWEEN 1 AND %[2]d AND "+
		"%[1]s = CAST(%[1]s AS INTEGER) THEN CAST(%[1]s AS INTEGER) ELSE 0 END", column, kek.MaxVersion)
}

// locate finds the places that the tables have.
func (s *Store) locate(ctx context.Context, places []envelope.Place) (all []located, err error) {
	columns, err := s.columns(ctx)
	if err != nil {
		return nil, err
	}
	used := map[string]string{}
	for _, p := range places {
		have, there := columnsOf(columns, p.Collection)
		if there && len(have) == 0 {
			return nil, fmt.Errorf("place %s: the table is a virtual one of a module that this program lacks: %w", p,
				store.ErrPlace)
		}
		head := headOf(p)
		// Before it had envelopes, a table may have had a column of a place's name.
		legacy := p.Bytes == envelope.Binary && p.Path == head
		inJSON := has(have, head) && !legacy
		apart := has(have, p.Path+"_"+p.Parts.WrappedDEK)
		switch {
		case inJSON && apart:
			return nil, fmt.Errorf("place %s: the table has a column %s and one for the wrapped DEK: %w", p, head,
				store.ErrPlace)
		case inJSON && p.Bytes == envelope.Binary:
			return nil, fmt.Errorf("place %s: JSON has no binary values, want bytes: base64 or hex: %w", p, store.ErrPlace)
		case inJSON:
			all = append(all, located{Place: p, json: head}.spelled())
		case apart:
			all = append(all, located{Place: p}.spelled())
		default:
			continue
		}
		if p.Outer != "" && !has(have, p.Outer) {
			return nil, fmt.Errorf("place %s: the table has no column %s for the outer version: %w", p, p.Outer,
				store.ErrPlace)
		}
		if err := all[len(all)-1].claim(used); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// claim refuses a column of another place, but for one of JSON that both spell alike: of two values
// that one statement gives a column, one is lost.
func (l located) claim(used map[string]string) error {
	by := l.json
	if by == "" {
		by = l.String()
	}
	for _, column := range l.read() {
		name := strings.ToLower(l.Collection + "." + column)
		if other, taken := used[name]; taken && other != by {
			return fmt.Errorf("place %s: the column %s is that of %s: %w", l, column, other, store.ErrPlace)
		}
		used[name] = by
	}
	return nil
}

// columnsOf are those of a table. In names of tables and columns, case does not matter.
func columnsOf(columns map[string][]string, table string) (have []string, there bool) {
	for name, have := range columns {
		if strings.EqualFold(name, table) {
			return have, true
		}
	}
	return nil, false
}

func has(columns []string, name string) bool {
	return slices.ContainsFunc(columns, func(c string) bool { return strings.EqualFold(c, name) })
}

// headOf is the first name of a place's path.
func headOf(p envelope.Place) string {
	head, _, _ := strings.Cut(p.Path, ".")
	return strings.TrimSuffix(head, "[]")
}

// outer is the version that a record's column says, and one that is all the same where there is none.
func outer(path string) string {
	if path == "" {
		return "0"
	}
	return version(quote(path))
}
