package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
	"github.com/tink-crypto/tink-go/v2/tink"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
	"github.com/certautopilot/kekceremony/keyring"
	_ "github.com/certautopilot/kekceremony/keyring/mongo"
	"github.com/certautopilot/kekceremony/keyring/tinkaead"
)

// records is where an application keeps what an AEAD returned.
type records interface {
	put(id string, document []byte)
	get(id string) []byte
}

// columns are records of SQL.
type columns struct{ house }

func (c columns) put(id string, document []byte) {
	c.t.Helper()
	e, err := tinkaead.Parse(document)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(id, e)
}

func (c columns) get(id string) []byte {
	c.t.Helper()
	document, err := tinkaead.Document(c.read(id))
	if err != nil {
		c.t.Fatal(err)
	}
	return document
}

// documents are records of MongoDB.
type documents struct {
	house
	server *mongotest.Server
	uri    string
}

func (d documents) put(id string, document []byte) {
	d.t.Helper()
	d.server.Replace(d.t, d.uri, "dns_credentials", bson.D{{Key: "_id", Value: id},
		{Key: "kek_version", Value: bson.Raw(document).Lookup("kek_version")},
		{Key: "encrypted_api_key", Value: bson.Raw(document)}})
}

func (d documents) get(id string) []byte {
	return d.server.Find(d.t, d.uri, "dns_credentials", id).Lookup("encrypted_api_key").Document()
}

// TestTink: what was sealed through Tink's interface is re-wrapped by a rotation like any other
// envelope, and opens after it with the associated data that it had.
func TestTink(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		tinkRotated(t, h, columns{h})
	})
	t.Run("MongoDB", func(t *testing.T) {
		t.Parallel()
		server := mongotest.Start(t)
		uri := server.Absent(t)
		h := newHouseOn(t, rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}, uri,
			func(ctx context.Context) (database, error) { return mongo.Create(ctx, uri) })
		tinkRotated(t, h, documents{h, server, uri})
	})
}

func tinkRotated(t *testing.T, h house, all records) {
	r := h.open(keyring.Config{})
	text, data := []byte("a secret"), []byte("customer 7")
	var one, bare tink.AEAD = tinkaead.New(t.Context(), r, place, "one"), tinkaead.New(t.Context(), r, place, "bare")
	sealed := encrypt(t, one, text, data)
	all.put("one", sealed)
	all.put("bare", encrypt(t, bare, text, nil))
	stream := streamOf(t, r, all)
	if h.due(2) != 3 {
		t.Fatalf("the census finds %d", h.due(2))
	}
	if err := h.run(steps.Rotate(steps.Rotation{To: 2})); err != nil {
		t.Fatal(err)
	}
	if h.due(2) != 0 {
		t.Errorf("the census finds %d", h.due(2))
	}
	now := all.get("one")
	before, errBefore := tinkaead.Parse(sealed)
	after, errAfter := tinkaead.Parse(now)
	if err := errors.Join(errBefore, errAfter); err != nil {
		t.Fatal(err)
	}
	if after.KEKVersion != 2 || bytes.Equal(after.WrappedDEK, before.WrappedDEK) ||
		!bytes.Equal(after.Ciphertext, before.Ciphertext) {
		t.Errorf("%+v became %+v", before, after)
	}
	for name, c := range map[string]struct {
		a              tink.AEAD
		document, data []byte
		want           error
	}{
		"after": {one, now, data, nil}, "before": {one, sealed, data, nil}, "none": {bare, all.get("bare"), []byte{}, nil},
		"other data": {one, now, []byte("customer 8"), keyring.ErrUndecryptable},
		"without":    {one, now, nil, keyring.ErrUndecryptable},
		"with":       {bare, all.get("bare"), data, keyring.ErrUndecryptable},
	} {
		got, err := c.a.Decrypt(c.document, c.data)
		if !errors.Is(err, c.want) || err == nil && !bytes.Equal(got, text) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if n := r.Status().Refusals; n != 3 {
		t.Errorf("%d refusals", n)
	}
	opens(t, r, all.get("bare"), text)
	stream.reads(t, r, all.get("keyset"))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tinkaead.New(ended, r, place, "one").Decrypt(now, data); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
}

func encrypt(t *testing.T, a tink.AEAD, text, data []byte) []byte {
	t.Helper()
	document, err := a.Encrypt(text, data)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// opens: without associated data it is the envelope that Seal makes.
func opens(t *testing.T, r *keyring.Ring, document, text []byte) {
	t.Helper()
	e, err := tinkaead.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Open(t.Context(), place, "bare", e); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%q, %v", got, err)
	}
}

// stream is a text that Tink encrypted with a key of a keyset.
type stream []byte

const streamed = "a text that is as long as one likes"

var keysetData = []byte("keyset")

// streamOf encrypts with a new keyset, whose own envelope is a record.
func streamOf(t *testing.T, r *keyring.Ring, all records) stream {
	t.Helper()
	handle, err := keyset.NewHandle(streamingaead.AES256GCMHKDF4KBKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	var kept keyset.MemReaderWriter
	err = handle.WriteWithAssociatedData(&kept, tinkaead.New(t.Context(), r, place, "keyset"), keysetData)
	if err != nil {
		t.Fatal(err)
	}
	all.put("keyset", kept.EncryptedKeyset.EncryptedKeyset)
	primitive, err := streamingaead.New(handle)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := primitive.NewEncryptingWriter(&out, nil)
	if err == nil {
		_, err = io.WriteString(w, streamed)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// reads decrypts with the keyset that a document seals.
func (s stream) reads(t *testing.T, r *keyring.Ring, document []byte) {
	t.Helper()
	var kept keyset.MemReaderWriter
	kept.EncryptedKeyset = &tinkpb.EncryptedKeyset{EncryptedKeyset: document}
	handle, err := keyset.ReadWithAssociatedData(&kept, tinkaead.New(t.Context(), r, place, "keyset"), keysetData)
	if err != nil {
		t.Fatal(err)
	}
	primitive, err := streamingaead.New(handle)
	if err != nil {
		t.Fatal(err)
	}
	in, err := primitive.NewDecryptingReader(bytes.NewReader(s), nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(in); err != nil || string(text) != streamed {
		t.Errorf("%q, %v", text, err)
	}
}

// A program that is written for Tink seals the secret of one record.
func Example_tink() {
	ring, closed := exampleRing()
	defer closed()
	ctx := context.Background()
	var secret tink.AEAD = tinkaead.New(ctx, ring, "dns_credentials.encrypted_api_key", "example.org")

	document, err := secret.Encrypt([]byte("the key of an API"), []byte("customer 7"))
	if err != nil {
		fmt.Println(err)
		return
	}
	// In MongoDB the record is
	//	bson.D{{"_id", "example.org"}, {"kek_version", e.KEKVersion}, {"encrypted_api_key", bson.Raw(document)}}
	e, err := tinkaead.Parse(document)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("sealed with version", e.KEKVersion)

	plaintext, err := secret.Decrypt(document, []byte("customer 7"))
	fmt.Printf("%s, %v\n", plaintext, err)
	_, err = secret.Decrypt(document, []byte("customer 8"))
	fmt.Println(errors.Is(err, keyring.ErrUndecryptable))
	// Output:
	// sealed with version 1
	// the key of an API, <nil>
	// true
}
