package mongo

import (
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
)

// TestDocumentKeepsNoRecord: nothing that a page keeps of a record is in the memory of the record, which may
// have 16 MB.
func TestDocumentKeepsNoRecord(t *testing.T) {
	secret := bson.D{{Key: "wrapped_dek", Value: []byte("wrapped")}, {Key: "kek_version", Value: int32(1)},
		{Key: "nonce", Value: []byte("nonce")}, {Key: "ciphertext", Value: []byte("ciphertext")}}
	element := bson.D{{Key: "id", Value: "element"}, {Key: "secret", Value: secret}}
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "record"}, {Key: "kek_version", Value: int32(1)},
		{Key: "f", Value: secret}, {Key: "odd", Value: bson.A{secret}}, {Key: "l", Value: bson.A{element}}})
	if err != nil {
		t.Fatal(err)
	}
	keyed := envelope.At("things", "l[].secret")
	keyed.Key = "id"
	c := envelope.Catalogue{envelope.At("things", "f"), envelope.At("things", "odd"), keyed}.Collections()[0]
	c.Payloads = true
	d := document(raw, c)
	before := fmt.Sprintf("%+v", d)
	if len(d.Envelopes) != 3 || len(d.Envelopes[2].Keys) != 1 {
		t.Fatal(before)
	}
	clear(raw)
	if after := fmt.Sprintf("%+v", d); after != before {
		t.Errorf("was %s\nis  %s", before, after)
	}
}
