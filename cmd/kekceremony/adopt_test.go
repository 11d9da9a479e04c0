package main_test

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/seedtest"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// adoptedFactor is how many times as many records TestAdopted has; make torture has more.
var adoptedFactor = 1

// seeds are databases of both kinds. FerretDB reads a whole collection for each update.
var seeds = []struct {
	name    string
	n, most int // records; most: with make torture
	open    func(t *testing.T) (uri, id string, db seedtest.Database)
}{
	{"sqlite", 800, 20_000, func(t *testing.T) (string, string, seedtest.Database) {
		path := filepath.Join(t.TempDir(), "s.db")
		return "sqlite:" + path, "id", seedtest.NewSQLite(t, path)
	}},
	{"mongo", onMongo(80, 800), onMongo(400, 20_000), func(t *testing.T) (string, string, seedtest.Database) {
		server := mongotest.Start(t)
		uri := server.Fresh(t)
		return uri, "_id", mongotest.Application{Server: server, Database: uri}
	}},
}

// onMongo is a number of records for FerretDB, and for a server that the environment names.
func onMongo(ferretDB, server int) int {
	if mongotest.Named() {
		return server
	}
	return ferretDB
}

// TestAdopted: a database of an application is adopted and rotated while the application reads and
// writes, and the console is killed again and again. Every secret opens at every instant; the
// application writes the new version after the switch; what it has of versions stays as it is, but
// for its pointer.
func TestAdopted(t *testing.T) {
	t.Parallel()
	for _, c := range seeds {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSeed(t, min(c.n*adoptedFactor, c.most), c.open)
			stop := s.application(func(*testing.T) seedtest.Database { return s.db })
			for lines := range 12 {
				if s.killed(4+3*lines, "adopt") {
					break
				}
			}
			if code, _, errs := run(t, s.args("adopt")...); code != 0 && !strings.Contains(errs, "already installed") {
				t.Fatalf("adopt: exit %d\n%s", code, errs)
			}
			if got := s.db.Get(t, "kek_install", "singleton"); len(got) != 1 || got["kind"] != "env" || s.pointer() != 2 {
				t.Errorf("the application's lock is %v, its pointer %d", got, s.pointer())
			}
			s.agent()
			for lines := range 20 {
				if s.killed(4+4*lines, "rotate", "--to-version", "3") {
					break
				}
			}
			s.must("rotate", "--to-version", "3")
			if s.pointer() != 3 {
				t.Fatal("the application's pointer was not moved")
			}
			wrote := stop()
			if wrote[2] == 0 || wrote[3] == 0 || wrote[1] > 0 {
				t.Errorf("the application wrote %v", wrote)
			}
			s.must("rotate", "--to-version", "3") // what it still wrote with version 2, if anything
			s.allAt(3)
			s.verified()
		})
	}
}

// TestAdoptRefused: each is told by name, with its exit code, and nothing is adopted.
func TestAdoptRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		code int
		says string
		// survey says that it is a step that refuses; else no ceremony has begun.
		survey bool
		make   func(s seed)
	}{
		{"no section", 2, "the configuration has no section adopted", false,
			func(s seed) { s.edit("config.yaml", "adopted:\n  pointer:", "#") }},
		{"two locks", 3, "this database has a lock of ours under another name", false, seed.plantLock},
		{"a version planted", 3, "it holds version 2: this store is not empty", false, seed.plantVersion},
		{"an envelope that no key opens", 3, "envelopes that no key opens: users.mfa.totp.seed record-000006", true,
			func(s seed) { seedtest.Write(s, s.db, seedtest.Keys{1: s.keys()[2]}, 6, 1) }}, // the other one's key
		{"an envelope at no version", 3, "1 in users.mfa.totp.seed: envelopes at no version", true, func(s seed) {
			seedtest.Write(s, s.db, seedtest.Keys{0: s.keys()[1]}, 6, 0)
		}},
		{"no key", 3, "version 2: envelopes are at it, or the pointer, and its key is not there", true, func(s seed) {
			text, _ := os.ReadFile(s.path("secrets.env"))
			first, _, _ := strings.Cut(string(text), "\n")
			s.write("secrets.env", first+"\n")
		}},
		{"a place outside the catalogue", 3, "[settings.licenses[].blob users.mfa.totp.seed]", false, func(s seed) {
			// The second is described in another form than it has.
			s.edit("config.yaml", seedtest.Entries, "catalogue: [{collection: users, path: mfa.totp.seed, bytes: base64, "+
				"outer: none, parts: {wrapped_dek: dek, kek_version: kv}}]\n")
		}},
		{"a pointer that is none", 3, "not one version that an application's writers use", false,
			func(s seed) { s.db.Put(s, pointed, "active", map[string]any{"in_use": "two"}) }},
		{"a pointer that is nowhere", 3, "read pointer kek_versions.in_use", false, func(s seed) {
			s.edit("config.yaml", ": active}", ": passive}")
		}},
		{"a pointer in two places", 2, `filter "$where": want a name`, false, func(s seed) {
			s.edit("config.yaml", s.id+": active}", "$where: active}")
		}},
		{"nothing there", 3, "no envelope is there to adopt", true, func(s seed) {
			s.edit("config.yaml", seedtest.Entries, "")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := 16
			if c.name == "nothing there" {
				n = 0
			}
			s := newSeed(t, n, seeds[0].open)
			c.make(s)
			s.refused(c.code, c.says, "adopt")
			if bundles, _ := filepath.Glob(s.path("tr/*")); c.survey != (len(bundles) > 0) {
				t.Errorf("bundles %v", bundles)
			}
		})
	}
}

// plantVersion enters a version among our own records, as anyone can who writes to the database.
func (s seed) plantVersion() {
	s.Helper()
	db, err := sqlite.Open(s.Context(), strings.TrimPrefix(s.uri, "sqlite:"))
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	db.Under("kekceremony_")
	k := store.KEK{Version: 2, Provider: "env", State: store.Live, Canary: store.Canary{Wrapped: []byte{1}}}
	if err := db.InsertKEK(s.Context(), k); err != nil {
		s.Fatal(err)
	}
}

// plantLock puts a lock of another chain of ours under the plain names.
func (s seed) plantLock() {
	s.Helper()
	raw, err := sql.Open("sqlite3", strings.TrimPrefix(s.uri, "sqlite:"))
	if err != nil {
		s.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Exec("DROP TABLE kek_install; DROP TABLE kek_versions"); err != nil {
		s.Fatal(err)
	}
	db, err := sqlite.Open(s.Context(), strings.TrimPrefix(s.uri, "sqlite:"))
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	lock := store.Lock{Provider: "env", Chain: kek.NewChain(), Ceremony: 1, Roster: strings.Repeat("0", 64)}
	if err := db.InsertLock(s.Context(), lock); err != nil {
		s.Fatal(err)
	}
}

// TestAdoptedPointer: an adopted database whose pointer nobody described is verified and not rotated;
// one whose pointer was moved by no ceremony stops the next one, and so does another description.
func TestAdoptedPointer(t *testing.T) {
	t.Parallel()
	for _, c := range seeds {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSeed(t, 16, c.open)
			described := fmt.Sprintf("\n  pointer: {collection: %s, filter: {%s: active}, field: in_use}", pointed, s.id)
			s.edit("config.yaml", described, " {}")
			s.must("adopt")
			s.agent()
			for !strings.Contains(s.must("status"), "writes 2") {
			}
			if code, out, errs := run(t, s.args("verify")...); code != 6 || !strings.Contains(out, "census  8 envelopes") {
				t.Errorf("verify: exit %d\n%s%s", code, out, errs)
			}
			s.refused(3, "nobody described where the application has the version that its writers use", "rotate",
				"--to-version", "3")
			s.edit("config.yaml", "adopted: {}", "adopted:"+described)
			s.db.Put(t, pointed, "active", map[string]any{"in_use": int64(1)})
			s.refused(3, "it names version 1, and version 2 is active: the application's pointer was moved by no ceremony",
				"rotate", "--to-version", "3")
			s.db.Put(t, pointed, "active", map[string]any{"in_use": int64(2)})
			s.must("rotate", "--to-version", "3")
			s.allAt(3)
			if s.pointer() != 3 {
				t.Errorf("the application's pointer is %d", s.pointer())
			}
		})
	}
}

// TestAdoptSample: a sample is a deviation, which stands in the plan, and a pointer that is described
// otherwise than in the first ceremony is refused. A second adoption is refused, and an install.
func TestAdoptSample(t *testing.T) {
	t.Parallel()
	s := newSeed(t, 24, seeds[0].open)
	s.refused(3, "sample: was every envelope is opened, is 1 of each place", "adopt", "--sample", "1")
	s.refused(2, "--sample: want 1 or more", "adopt", "--sample", "-1")
	s.edit("adopt.yaml", "ceremony: adopt\n", "ceremony: adopt\ndeviation.sample: one of each place, ticket 12\n")
	s.must("adopt", "--sample", "1")
	plans, _ := filepath.Glob(s.path("tr/*-adopt/*-plan.txt"))
	if len(plans) != 1 {
		t.Fatalf("plans %v", plans)
	}
	plan, err := os.ReadFile(plans[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"deviation: sample: was every envelope is opened, is 1 of each place and version\n",
		"records: kekceremony_\n", "pointer: kek_versions.in_use id=active\n",
		"adopt: version 1, made outside a ceremony: key ", "record: version 2 as active;",
		"users.mfa.totp.seed{kek_version=kv,bytes=base64,outer=none}",
	} {
		if !strings.Contains(string(plan), line) {
			t.Errorf("the plan lacks %q:\n%s", line, plan)
		}
	}
	show := must(t, "transcript", "show", filepath.Dir(plans[0]))
	if !strings.Contains(show, "unwrapped") {
		t.Errorf("%s", show)
	}
	s.refused(3, "this store is already installed", "adopt")
	s.write("install.yaml", "ceremony: install\nroster: "+s.path("roster")+
		"\nprovider: env\ncopies: none\nplanned_end: 2099-01-01\n"+record)
	s.refused(3, "this database is for adopt, not for install", "install")
	s.edit("config.yaml", "field: in_use", "field: id")
	s.refused(3, "the configuration describes another pointer than the chain began with", "rotate", "--to-version", "3")
}

// imported puts the key of a version on the token, as somebody did before there were ceremonies.
func (s seed) imported(v int, label, id string) {
	s.Helper()
	path := s.path(fmt.Sprintf("key-%d", v))
	if err := os.WriteFile(path, s.keys()[v], 0o600); err != nil {
		s.Fatal(err)
	}
	cmd := exec.Command("pkcs11-tool", "--module", pkcs11test.Module(s), "--token-label", "kek", "--login", "--pin",
		pkcs11test.PIN, "--write-object", path, "--type", "secrkey", "--key-type", "AES:32", "--label", label, "--id", id,
		"--usage-decrypt", "--extractable")
	cmd.Env = pkcs11test.Environ(s)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Fatalf("%v: %s", err, out)
	}
}

// onToken has both keys on a token, and the configuration say so.
func (s seed) onToken() {
	s.Helper()
	pkcs11test.TokensForPrograms(s, "kek")
	s.imported(1, "old kek", "0a01")
	s.imported(2, "new kek", "0a02")
	s.write("pin", pkcs11test.PIN)
	s.edit("config.yaml", fmt.Sprintf("{provider: env, env: {secrets_file: %s}}", s.path("secrets.env")), fmt.Sprintf(
		"{provider: pkcs11, pin_file: %s, pkcs11: {module_path: %s, token_label: kek, environment: [SOFTHSM2_CONF],\n"+
			"  adopted_keys: {1: {label: old kek}, 2: {id: 0a02}}}}", s.path("pin"), pkcs11test.Module(s)))
	s.edit("adopt.yaml", "provider: env", "provider: pkcs11")
	s.edit("destroy.yaml", "hosts: \"n/a: a test\"\n", "")
}

// decides has people decide that keys which somebody imported are adopted.
func (s seed) decides() {
	s.Helper()
	s.edit("adopt.yaml", "ceremony: adopt\n",
		"ceremony: adopt\ndeviation.key_of_1: imported in 2024, ticket 3\ndeviation.key_of_2: imported in 2025, ticket 4\n")
}

// TestAdoptedToken: keys that somebody put on a token are adopted by label and by CKA_ID, named as
// what they are, once people decided it; a second key of the label is refused. A rotation to a key
// that a ceremony made, and one back, leave every secret readable.
func TestAdoptedToken(t *testing.T) {
	t.Parallel()
	pkcs11test.Need(t, "pkcs11-tool")
	s := newSeed(t, 40, seeds[0].open)
	s.onToken()
	s.refused(3, "key_of_1: was made on the token, and never outside it, is ", "adopt")
	s.decides()
	s.imported(2, "old kek", "0a03")
	s.refused(3, "more than one key, or a key that shares only the label or only the CKA_ID", "adopt")
	cmd := exec.Command("pkcs11-tool", "--module", pkcs11test.Module(t), "--token-label", "kek", "--login", "--pin",
		pkcs11test.PIN, "--delete-object", "--type", "secrkey", "--id", "0a03")
	cmd.Env = pkcs11test.Environ(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.must("adopt")
	s.agent()
	if out := s.must("status"); !strings.Contains(out, "1  live    old kek  made outside, adopted") ||
		!strings.Contains(out, "2  active  new kek  made outside, adopted") {
		t.Errorf("%s", out)
	}
	s.must("rotate", "--to-version", "3")
	if s.pointer() != 3 {
		t.Errorf("the application's pointer is %d", s.pointer())
	}
	s.edit("rotate.yaml", "unproven: none", "unproven: the report job / it reads only version 2 / alice")
	s.must("rotate", "--to-version", "2")
	s.allAt(2)
	s.verified()
	plans, _ := filepath.Glob(s.path("tr/*-0003-rotate/*-plan.txt"))
	const deviation = "deviation: unproven: was an agent or the keyring for each process, is the report job\n"
	if plan, err := os.ReadFile(plans[0]); err != nil || !strings.Contains(string(plan), deviation) ||
		!strings.Contains(string(plan), "also in the application's kek_versions.in_use id=active") {
		t.Errorf("%s, %v", plan, err)
	}
	s.sql("DELETE FROM kekceremony_versions WHERE id = 1") // its row is made again, once people decided on its key again
	s.write("reconcile.yaml", "ceremony: reconcile\ncause: a row was lost\n"+record)
	s.refused(3, "key_of_1: was made on the token, and never outside it, is ", "reconcile")
	s.edit("reconcile.yaml", "cause:", "deviation.key_of_1: imported in 2024, ticket 3\ncause:")
	s.must("reconcile")
	s.must("rotate", "--to-version", "1")
	s.allAt(1)
	s.verified()
}
