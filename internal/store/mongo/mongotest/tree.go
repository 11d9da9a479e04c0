package mongotest

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Application is a database that an application writes with the driver alone.
type Application struct {
	*Server
	Database string // its URI
}

// Put writes a record over whatever is there: maps, slices, text, bytes and int64.
func (a Application) Put(t testing.TB, collection, id string, record map[string]any) {
	t.Helper()
	if err := a.Try(t, collection, id, record); err != nil {
		t.Fatal(err)
	}
}

// Try does, and returns what the server says.
func (a Application) Try(t testing.TB, collection, id string, record map[string]any) error {
	t.Helper()
	document := bson.D{{Key: "_id", Value: id}}
	for name, value := range record {
		document = append(document, bson.E{Key: name, Value: value})
	}
	return a.TryReplace(t, a.Database, collection, document)
}

// Get reads it back.
func (a Application) Get(t testing.TB, collection, id string) map[string]any {
	t.Helper()
	record := plain(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: a.Find(t, a.Database, collection, id)})
	delete(record.(map[string]any), "_id")
	return record.(map[string]any)
}

// plain is a value as maps, slices and Go's own types.
func plain(v bson.RawValue) any {
	switch v.Type {
	case bson.TypeEmbeddedDocument:
		elements, _ := v.Document().Elements()
		all := map[string]any{}
		for _, e := range elements {
			all[e.Key()] = plain(e.Value())
		}
		return all
	case bson.TypeArray:
		values, _ := v.Array().Values()
		all := make([]any, len(values))
		for i, v := range values {
			all[i] = plain(v)
		}
		return all
	case bson.TypeBinary:
		_, data := v.Binary()
		return data
	case bson.TypeString:
		return v.StringValue()
	case bson.TypeBoolean:
		return v.Boolean()
	case bson.TypeInt32:
		return int64(v.Int32())
	}
	return v.Int64()
}
