package steps_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
)

// TestDestroyUnreadVersion: a writer that slept brings an envelope of version 1, and spells its version in a way that
// no census takes for 1. Nothing but the key of version 1 opens it, so the key is not destroyed.
func TestDestroyUnreadVersion(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	r.writeLate(1, 4)
	place, id := rehearsal.Record(3)
	create, copied := "id PRIMARY KEY, kek_version, doc", "id, 2, NULL"
	for _, part := range []string{"wrapped_dek", "nonce", "ciphertext", "kek_version"} {
		create += ", s_" + part
		copied += ", " + place.Path + "_" + part
	}
	where := fmt.Sprintf(" FROM %s WHERE id = '%s'", place.Collection, id)
	change(t, r.parts, "CREATE TABLE notes ("+create+")", "INSERT INTO notes SELECT "+copied+where, "DELETE"+where)
	inJSON := envelope.At("notes", "doc.s")
	inJSON.Bytes, inJSON.Outer = envelope.Hex, ""
	places := func(s *engine.Parts) {
		s.Catalogue = append(s.Catalogue, envelope.At("notes", "s"), inJSON)
	}
	for _, spelled := range []string{
		"s_kek_version = '1'", "s_kek_version = NULL", "s_kek_version = 1.5",
		"s_kek_version = 12", // a version that there is none of
		"s_kek_version = 2, kek_version = '1'",
		`kek_version = 2, s_wrapped_dek = NULL, doc = '{"s": {"wrapped_dek": "' || hex(s_wrapped_dek) || '", "nonce": "' ||
			hex(s_nonce) || '", "ciphertext": "' || hex(s_ciphertext) || '", "kek_version": "1"}}'`,
		`doc = replace(doc, '"kek_version": "1"', '"kek_version": null')`,
		`doc = CAST(replace(doc, ', "kek_version": null', '') AS BLOB)`,
	} {
		change(t, r.parts, "UPDATE notes SET "+spelled)
		if err := r.destroy(places); !errors.Is(err, steps.ErrAnyVersion) || !strings.Contains(err.Error(), "notes.") {
			t.Errorf("%s: %v", spelled, err)
		}
	}
	r.untouched()
	change(t, r.parts, `UPDATE notes SET doc = replace(CAST(doc AS TEXT), '}}', ', "kek_version": 1}}')`)
	if err := r.destroy(places); !errors.Is(err, steps.ErrNeeded) {
		t.Errorf("a version that can be read: %v", err)
	}
	change(t, r.parts, "DELETE FROM notes")
	if err := r.destroy(nil); !errors.Is(err, steps.ErrFenceGone) { // with it, no such envelope could have come
		t.Errorf("without a fence: %v", err)
	}
}
