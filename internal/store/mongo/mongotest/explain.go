package mongotest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Query is what a command asks a collection for.
type Query struct{ command bson.D }

// Watch has the queries and updates of each command seen, before the server has it; nil: none any more. Of several
// updates it is the first one.
func (p *Proxy) Watch(see func(Query)) { p.set(func() { p.watch = see }) }

// Hear has each command heard, as it is sent, before the server has it; nil: none any more.
func (p *Proxy) Hear(hear func(name string, command bson.Raw)) { p.set(func() { p.hear = hear }) }

func (p *Proxy) heard(name string, request []byte) {
	p.mu.Lock()
	hear := p.hear
	p.mu.Unlock()
	if hear != nil {
		hear(name, body(request))
	}
}

func (p *Proxy) watched(request []byte) {
	p.mu.Lock()
	see := p.watch
	p.mu.Unlock()
	if see == nil || opcode(request) != opMsg {
		return
	}
	switch commandOf(request) {
	case "update":
		see(Query{bson.D{{Key: "find", Value: collectionOf(request)}, {Key: "filter", Value: updated(request)}}})
	case "find", "aggregate":
		var command bson.D
		if err := bson.Unmarshal(body(request), &command); err != nil {
			return
		}
		see(Query{slices.DeleteFunc(command, func(e bson.E) bool { return !slices.Contains(parts, e.Key) })})
	}
}

// parts are those of a command that say what it asks for.
var parts = []string{"find", "filter", "projection", "sort", "skip", "limit", "aggregate", "pipeline", "cursor"}

// updated is the filter of the first update of a command.
func updated(request []byte) bson.Raw {
	update, err := bson.ReadDocument(bytes.NewReader(sequence(request)))
	if err != nil {
		return nil
	}
	return update.Lookup("q").Document()
}

// String is the query with as much of it as a line has room for.
func (q Query) String() string { return fmt.Sprintf("%.100s", fmt.Sprint(q.command)) }

// Explain has the server say how it answers a query: the steps of its plan, the outermost first.
func (s *Server) Explain(t testing.TB, uri string, q Query) string {
	t.Helper()
	answer, err := s.database(uri).RunCommand(t.Context(),
		bson.D{{Key: "explain", Value: q.command}, {Key: "verbosity", Value: "queryPlanner"}}).Raw()
	if err != nil {
		t.Fatalf("explain %v: %v", q, err)
	}
	return strings.Join(steps(answer.Lookup("queryPlanner")), ", ")
}

// steps are those of a plan as MongoDB says it, or PostgreSQL, or SQLite.
func steps(v bson.RawValue) (all []string) {
	switch v.Type {
	case bson.TypeString:
		if text := v.StringValue(); strings.Contains(text, "SCAN ") || strings.Contains(text, "SEARCH ") {
			all = append(all, text)
		}
	case bson.TypeArray, bson.TypeEmbeddedDocument:
		document := bson.Raw(v.Value)
		step := fmt.Sprint(text(document, "stage"), text(document, "Node Type"))
		if index := text(document, "indexName") + text(document, "Index Name"); index != "" {
			step += " of " + index
		}
		if step != "" {
			all = append(all, step)
		}
		elements, _ := document.Elements()
		for _, e := range elements {
			if !slices.Contains([]string{"rejectedPlans", "slotBasedPlan", "command"}, e.Key()) {
				all = append(all, steps(e.Value())...)
			}
		}
	}
	return all
}

func text(document bson.Raw, name string) string {
	s, _ := document.Lookup(name).StringValueOK()
	return s
}
