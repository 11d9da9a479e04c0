package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/certautopilot/kekceremony/internal/status"
)

const statusSchema = "../../docs/status.schema.json"

// asStatus refuses what is not as docs/status.schema.json says.
func asStatus(text string) error {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(statusSchema)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// schema: what was printed must be as docs/status.schema.json says.
func schema(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(asStatus(ts.ReadFile("stdout"))) }

// TestStatusSchema: every field of a status is a property of the schema, and the other way round.
// Required is what is always written.
func TestStatusSchema(t *testing.T) {
	data, err := os.ReadFile(statusSchema)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Defs map[string]struct {
			Additional *bool `json:"additionalProperties"`
			Required   []string
			Properties map[string]any
		} `json:"$defs"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	for _, of := range []any{status.Status{}, status.VersionStatus{}, status.FieldStatus{}, status.ProcessStatus{},
		status.CeremonyStatus{}, status.Due{}} {
		typ := reflect.TypeOf(of)
		def := doc.Defs[typ.Name()]
		if def.Additional == nil || *def.Additional {
			t.Errorf("%s: additional properties are allowed", typ.Name())
		}
		var all, required []string
		for i := range typ.NumField() {
			name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if name == "" {
				continue
			}
			all = append(all, name)
			if options == "" {
				required = append(required, name)
			}
			if def.Properties[name] == nil {
				t.Errorf("%s: the schema lacks %s", typ.Name(), name)
			}
		}
		if len(all) != len(def.Properties) || !slices.Equal(required, def.Required) {
			t.Errorf("%s: the schema has %d properties, of %d; required %q, want %q", typ.Name(), len(def.Properties),
				len(all), def.Required, required)
		}
	}
	if asStatus(`{"store":"","installed":false,"versions":[],"envelopes":[],"fleet":[],"due":[],"more":1}`) == nil {
		t.Error("another property is allowed")
	}
}

// checkStatus is asStatus for the output of the program in any test.
func checkStatus(args []string, stdout string) error {
	if stdout == "" || !slices.Contains(args, "status") || !slices.Contains(args, "--json") {
		return nil
	}
	if err := asStatus(stdout); err != nil {
		return fmt.Errorf("docs/status.schema.json: %w\n%s", err, stdout)
	}
	return nil
}
