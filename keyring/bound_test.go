package keyring_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/keyring"
)

// binding has a ceremony make a bound version, as --bind does.
func binding(s *engine.Parts) { s.Bind = true }

// exchange is the attack of somebody who writes the database: the wrapped data keys of two records change
// places, and everything else stays. Done twice, it is undone.
func (h house) exchange(a, b string) {
	h.t.Helper()
	one, two := h.read(a), h.read(b)
	one.WrappedDEK, two.WrappedDEK = two.WrappedDEK, one.WrappedDEK
	h.write(a, one)
	h.write(b, two)
}

// refused demands that a rotation names the envelopes of two records and leaves them as they are.
func (h house) refused(err error, a, b string) {
	h.t.Helper()
	if !errors.Is(err, rewrap.ErrUndecryptable) || !strings.Contains(err.Error(), place+" "+a+"; "+place+" "+b) {
		h.t.Fatalf("after the data keys of %s and %s were exchanged: %v", a, b, err)
	}
}

// all demands that a ring opens every record, at a version.
func (h house) all(r *keyring.Ring, ids []string, v int) {
	h.t.Helper()
	for _, id := range ids {
		e := h.read(id)
		text, err := r.Open(h.t.Context(), place, id, e)
		if err != nil || string(text) != "secret of "+id || e.KEKVersion != v {
			h.t.Errorf("%s: version %d, %q, %v", id, e.KEKVersion, text, err)
		}
	}
}

// TestBound tells the attacks that binding is for, before the first binding, under it, and against it.
// Nothing is lost in any.
func TestBound(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := h.open(keyring.Config{Cache: 8})
	ids := []string{"a", "b", "c", "d"}
	for _, id := range ids {
		e, err := r.Seal(t.Context(), place, id, []byte("secret of "+id))
		if err != nil {
			t.Fatal(err)
		}
		h.write(id, e)
	}

	// Exchanged before the first binding: each data key opens nothing where it is, and is not sealed in.
	rotate := func(v kek.Version, change ...func(*engine.Parts)) error {
		return h.run(steps.Rotate(steps.Rotation{To: v}), change...)
	}
	h.exchange("c", "d")
	h.refused(rotate(2, binding), "c", "d")
	h.exchange("c", "d")
	if err := rotate(2); err != nil {
		t.Fatal(err)
	}
	h.all(r, ids, 2)
	if plan := h.plan("rotate"); !strings.Contains(plan, "bound: yes\n") {
		t.Errorf("the plan does not say that version 2 is bound:\n%s", plan)
	}

	// Exchanged under a bound version, and a whole envelope in another record, also where the data key is
	// in the cache: no process opens it, and a re-wrap names it.
	older := h.read("a")
	h.exchange("a", "b")
	for _, id := range []string{"a", "b"} {
		if text, err := r.Open(t.Context(), place, id, h.read(id)); !errors.Is(err, keyring.ErrUndecryptable) {
			t.Errorf("%s opens as %q, %v", id, text, err)
		}
	}
	if text, err := r.Open(t.Context(), place, "b", older); !errors.Is(err, keyring.ErrUndecryptable) {
		t.Errorf("the envelope of a opens in b as %q, %v", text, err)
	}
	h.refused(rotate(3), "a", "b") // bound without being asked: what is active is
	h.exchange("a", "b")
	if err := rotate(3); err != nil {
		t.Fatal(err)
	}
	h.all(r, ids, 3)

	// An older envelope of the same place is not caught: docs/threat-model.md says so.
	if text, err := r.Open(t.Context(), place, "a", older); err != nil || string(text) != "secret of a" {
		t.Errorf("an older envelope: %q, %v", text, err)
	}
	h.lies(r, ids)

	if err := rotate(1, binding); !errors.Is(err, steps.ErrNotBound) {
		t.Errorf("version 1 bound afterwards: %v", err)
	}
	if err := rotate(1); err != nil { // M sign a plan that says so
		t.Fatal(err)
	}
	h.all(r, ids, 1)
	if plan := h.plan("rotate"); !strings.Contains(plan, "bound: no, and version 4 is\n") {
		t.Errorf("the plan does not say that version 1 is not bound:\n%s", plan)
	}
}

// lies edits the row of version 3, which is bound and active: the chain and the canary say what it is.
func (h house) lies(r *keyring.Ring, ids []string) {
	h.t.Helper()
	edit := func(statement string) {
		h.t.Helper()
		db, err := sql.Open("sqlite3", "file:"+h.parts.Store()+"?_busy_timeout=10000")
		if err != nil {
			h.t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(h.t.Context(), statement); err != nil {
			h.t.Fatal(err)
		}
	}
	edit("CREATE TABLE kept AS SELECT * FROM kek_versions WHERE id = 3")
	for _, lie := range []string{
		"UPDATE kek_versions SET bound = 0 WHERE id = 3",
		"UPDATE kek_versions SET bound = 0, canary_wrapped = (SELECT canary_wrapped FROM kek_versions WHERE id = 1), " +
			"canary_sha256 = (SELECT canary_sha256 FROM kek_versions WHERE id = 1) WHERE id = 3",
	} {
		edit(lie)
		late := h.open(keyring.Config{})
		if _, err := late.Seal(h.t.Context(), place, "a", nil); !errors.Is(err, keyring.ErrNotHeld) {
			h.t.Errorf("%s: a process that comes later seals: %v", lie, err)
		}
		if text, err := late.Open(h.t.Context(), place, "a", h.read("a")); !errors.Is(err, keyring.ErrNotHeld) {
			h.t.Errorf("%s: a process that comes later opens %q, %v", lie, text, err)
		}
		h.all(r, ids, 3) // one that opened the canary knows better
		if err := h.run(steps.Rotate(steps.Rotation{To: 4})); !errors.Is(err, steps.ErrBoundRow) &&
			!errors.Is(err, steps.ErrCanary) {
			h.t.Errorf("%s: %v", lie, err)
		}
		edit("REPLACE INTO kek_versions SELECT * FROM kept") // no process sees a store without the version
		if err := late.Close(h.t.Context()); err != nil {
			h.t.Error(err)
		}
	}
	edit("DROP TABLE kept")
	if err := h.run(steps.Rotate(steps.Rotation{To: 4})); err != nil {
		h.t.Fatal(err)
	}
	h.all(r, ids, 4)
}

// plan is that of the last ceremony of a kind.
func (h house) plan(kind string) string {
	h.t.Helper()
	all, err := filepath.Glob(filepath.Join(h.parts.Bundles(), "*-"+kind, "events.jsonl"))
	if err != nil || len(all) == 0 {
		h.t.Fatal(all, err)
	}
	text, err := os.ReadFile(all[len(all)-1])
	if err != nil {
		h.t.Fatal(err)
	}
	at := bytes.LastIndex(text, []byte(`"plan":"`))
	plan, _, _ := bytes.Cut(text[at+len(`"plan":"`):], []byte(`"`))
	return strings.ReplaceAll(string(plan), `\n`, "\n")
}

// TestBoundArrays: an envelope in an array needs the key of its element, and a catalogue that does not
// declare one cannot be bound.
func TestBoundArrays(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	arrays := func(key string) func(*engine.Parts) {
		p := envelope.At("devices", "tokens[].secret")
		p.Outer, p.Bytes, p.Key = "", envelope.Base64, key
		return func(s *engine.Parts) { s.Catalogue = s.Catalogue.With(p) }
	}
	to := steps.Rotate(steps.Rotation{To: 2})
	want := `place "devices.tokens[].secret": ` + envelope.ErrKey.Error()
	if err := h.run(to, binding, arrays("")); !errors.Is(err, envelope.ErrKey) || err.Error() != want {
		t.Fatalf("bound without a key: %v", err)
	}
	h.configure("secrets.env", "transcripts:", "catalogue:\n"+
		"  - {collection: devices, path: 'tokens[].secret', key: id, bytes: base64, outer: none}\ntranscripts:")
	r := h.open(keyring.Config{})
	if err := h.run(to, binding, arrays("id")); err != nil {
		t.Fatal(err)
	}
	const tokens = "devices.tokens[].secret"
	e, err := r.Seal(t.Context(), tokens, keyring.Element(7, "phone"), []byte("x"))
	if err != nil || e.KEKVersion != 2 {
		t.Fatal(e, err)
	}
	for _, c := range []struct {
		id   any
		want error
	}{
		{keyring.Element(int64(7), "phone"), nil},
		{keyring.Element(7, "tablet"), keyring.ErrUndecryptable},
		{keyring.Element("7", "phone"), keyring.ErrUndecryptable},
		{keyring.Element(7, "phone", 1), keyring.ErrID},
		{keyring.Element(7, 1.5), keyring.ErrID},
		{7, keyring.ErrBinding},
	} {
		text, err := r.Open(t.Context(), tokens, c.id, e)
		if !errors.Is(err, c.want) || err == nil && string(text) != "x" {
			t.Errorf("%v: %q, %v", c.id, text, err)
		}
	}
	if _, err := r.Seal(t.Context(), tokens, 7, nil); !errors.Is(err, keyring.ErrBinding) {
		t.Errorf("sealed without the element's key: %v", err)
	}
	if n := r.Status().Refusals; n != 2 {
		t.Errorf("%d refusals, want those of the two other records", n)
	}
}
