// Package seedtest is a database as an application made it before there were ceremonies: two
// versions, secrets in eight places of several forms, no lock, no canary, no chain. It uses no code
// of the product: an envelope that it opens is one that the application opens.
package seedtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"testing"
)

// Database is where the application keeps its records.
type Database interface {
	// Put writes a record over whatever is there: maps, slices, text, bytes and int64.
	Put(t testing.TB, collection, id string, record map[string]any)
	// Get reads it back.
	Get(t testing.TB, collection, id string) map[string]any
}

// Keys are the KEKs, 32 bytes each, by version.
type Keys map[int][]byte

// form is how a place has its envelopes.
type form struct {
	collection string
	path       string // in the record, as catalogues have it
	dek, kv    string // names of parts
	text       bool   // bytes are base64
	outer      bool   // the record has a version of its own
	put        func(e map[string]any) map[string]any
	get        func(record map[string]any) any
}

// field is a secret at the top of a record.
func field(collection, name string) form {
	return form{collection, name, "wrapped_dek", "kek_version", false, true,
		func(e map[string]any) map[string]any { return map[string]any{name: e} },
		func(r map[string]any) any { return r[name] }}
}

var forms = []form{
	field("acme_accounts", "encrypted_private_key"),
	field("certificate_private_keys", "encrypted_key"),
	field("dns_credentials", "encrypted_api_key"),
	field("module_credentials", "encrypted_value"),
	field("msca_connections", "encrypted_credentials"),
	field("notification_channels", "encrypted_config"),
	{"users", "mfa.totp.seed", "wrapped_dek", "kv", true, false,
		func(e map[string]any) map[string]any {
			return map[string]any{"name": "somebody", "mfa": map[string]any{"on": true, "totp": map[string]any{"seed": e}}}
		},
		func(r map[string]any) any { return r["mfa"].(map[string]any)["totp"].(map[string]any)["seed"] }},
	{"settings", "licenses[].blob", "dek", "kv", true, false,
		func(e map[string]any) map[string]any {
			return map[string]any{"licenses": []any{map[string]any{"of": "nobody"}, map[string]any{"blob": e}}}
		},
		func(r map[string]any) any { return r["licenses"].([]any)[1].(map[string]any)["blob"] }},
}

// Entries are those that the catalogue of a configuration needs beside the default ones.
const Entries = `catalogue:
  - collection: settings
    path: 'licenses[].blob'
    bytes: base64
    outer: none
    parts: {wrapped_dek: dek, kek_version: kv}
  - collection: users
    path: mfa.totp.seed
    bytes: base64
    outer: none
    parts: {kek_version: kv}
`

func idOf(i int) string { return fmt.Sprintf("record-%06d", i) }

// Payload is the secret of record i.
func Payload(i int) string { return fmt.Sprintf("the secret of record %d", i) }

// Sealed is the secret of a record, as it stands in the database.
type Sealed struct {
	WrappedDEK, Nonce, Ciphertext []byte
	Version                       int
	Provider                      string
}

// Place is where the secret of record i stands, as catalogues name places, and the id of the record.
func Place(i int) (place, id string) {
	f := forms[i%len(forms)]
	return f.collection + "." + f.path, idOf(i)
}

// Put writes the secret of record i.
func Put(t testing.TB, db Database, i int, s Sealed) {
	t.Helper()
	f := forms[i%len(forms)]
	encode := func(b []byte) any {
		if f.text {
			return base64.StdEncoding.EncodeToString(b)
		}
		return b
	}
	record := f.put(map[string]any{
		f.dek:        encode(s.WrappedDEK),
		"nonce":      encode(s.Nonce),
		"ciphertext": encode(s.Ciphertext),
		f.kv:         int64(s.Version),
		"provider":   s.Provider,
	})
	if f.outer {
		record["kek_version"] = int64(s.Version)
	}
	db.Put(t, f.collection, idOf(i), record)
}

// Get reads the secret of record i.
func Get(t testing.TB, db Database, i int) (s Sealed, err error) {
	t.Helper()
	f := forms[i%len(forms)]
	record := db.Get(t, f.collection, idOf(i))
	e, ok := f.get(record).(map[string]any)
	if !ok {
		return s, fmt.Errorf("record %d has no secret: %v", i, record)
	}
	decode := func(name string) []byte {
		switch v := e[name].(type) {
		case []byte:
			return v
		case string:
			b, err := base64.StdEncoding.DecodeString(v)
			if err == nil {
				return b
			}
		}
		t.Fatalf("record %d: %s is %v", i, name, e[name])
		return nil
	}
	n, ok := e[f.kv].(int64)
	if !ok || f.outer && record["kek_version"] != n {
		return s, fmt.Errorf("record %d is at version %v, and its secret at %v", i, record["kek_version"], e[f.kv])
	}
	provider, _ := e["provider"].(string)
	return Sealed{decode(f.dek), decode("nonce"), decode("ciphertext"), int(n), provider}, nil
}

// Write seals the secret of record i under a version, with a data key of its own.
func Write(t testing.TB, db Database, keys Keys, i, version int) {
	t.Helper()
	dek := random(32)
	iv, nonce := random(12), random(12)
	Put(t, db, i, Sealed{append(iv, gcm(keys[version]).Seal(nil, iv, dek, nil)...), nonce,
		gcm(dek).Seal(nil, nonce, []byte(Payload(i)), nil), version, "env"})
}

// Read opens the secret of record i, and returns the version it is under.
func Read(t testing.TB, db Database, keys Keys, i int) (version int, err error) {
	t.Helper()
	s, err := Get(t, db, i)
	if err != nil {
		return 0, err
	}
	key := keys[s.Version]
	if key == nil {
		return 0, fmt.Errorf("record %d is under version %d", i, s.Version)
	}
	dek, err := gcm(key).Open(nil, s.WrappedDEK[:12], s.WrappedDEK[12:], nil)
	if err != nil {
		return 0, fmt.Errorf("record %d: data key: %w", i, err)
	}
	payload, err := gcm(dek).Open(nil, s.Nonce, s.Ciphertext, nil)
	if err != nil || string(payload) != Payload(i) {
		return 0, fmt.Errorf("record %d: payload %q, %v", i, payload, err)
	}
	return s.Version, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}
