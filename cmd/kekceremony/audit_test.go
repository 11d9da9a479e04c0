package main_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// TestAudit (C09, C11, M06): somebody who may write to the store changes it. The
// bundles are compared with it, and what differs is named. From the store alone the
// whole chain is rebuilt and judged.
func TestAudit(t *testing.T) {
	t.Parallel()
	parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
	must(t, "rehearse", "--only", "install,rotate",
		"--ui", "none", "--dir", parts.Dir, "--provider", "env", "--records", "20")
	store := "sqlite:" + parts.Store()
	both := []string{"transcript", "verify", "--chain", parts.Bundles(), "--store", store}
	must(t, both...)
	alone := []string{"transcript", "verify", "--store", store}
	must(t, alone...)
	paper := sum(t, filepath.Join(bundlesOf(t, parts)[1], "final.txt"))
	must(t, append(alone, "--expect", paper)...)
	if code, out, _ := run(t, append(alone, "--expect", strings.Repeat("0", 64))...); code != 4 ||
		!strings.Contains(out, "expect      bad: no final digest and no chain is 000") {
		t.Errorf("another digest on paper: exit %d\n%s", code, out)
	}
	good, err := os.ReadFile(parts.Store())
	if err != nil {
		t.Fatal(err)
	}
	const edited = `UPDATE kek_events SET data = CAST(replace(CAST(data AS TEXT), ` +
		`'not applicable: a rehearsal', 'Vault 3') AS BLOB) WHERE ceremony = 2`
	for _, c := range []struct {
		name, change string
		args         []string
		says         string
	}{
		{"an event edited", edited, both, "prev is not the digest"},
		{"an event edited, rebuilt", edited, alone, "prev is not the digest"},
		{"a final gone", `DELETE FROM kek_events WHERE ceremony = 2 AND name = 'final.carol.txt.sig'`, both,
			"final.carol.txt.sig: the store differs"},
		{"a final digest rewritten", `UPDATE kek_ceremonies SET final = '0' WHERE id = 2`, both,
			"final digest of ceremony 2: the store differs"},
		{"the newest ceremony gone", `DELETE FROM kek_ceremonies WHERE id = 2`, both,
			"ceremony 2 is not there: the store differs"},
		{"another chain in the lock", `UPDATE kek_install SET chain = 'ffffffffffffffffffffffffffffffff'`, both,
			"the lock is of chain ffffffffffffffffffffffffffffffff"},
		{"another founding roster", `UPDATE kek_install SET roster = '0'`, both, "the lock names founding roster 0"},
		{"another canary", `UPDATE kek_versions SET canary_sha256 = '0' WHERE id = 2`, both, "version 2 has another canary"},
		{"the pointer moved back", `UPDATE kek_active SET version = 1`, both, "active_version was 2, is 1"},
		{"a version that nobody made",
			`INSERT INTO kek_versions SELECT 3, provider, state, label, key_id, canary_wrapped, canary_sha256, 99, ` +
				`created, bound FROM kek_versions WHERE id = 2`, both, "version 3: no ceremony generated it"},
		{"a version gone", `DELETE FROM kek_versions WHERE id = 1`, both, "version 1 is not there"},
		{"a version of another ceremony", `UPDATE kek_versions SET ceremony = 99 WHERE id = 2`, both,
			"version 2: label, id, provider or ceremony"},
		{"a version retired no more", `UPDATE kek_versions SET state = 'live'`, both,
			"version_1 was retired, is live"},
		{"another provider in the lock", `UPDATE kek_install SET provider = 'pkcs11'`, both,
			"the lock's provider or ceremony"},
		{"another outcome", `UPDATE kek_ceremonies SET outcome = 'aborted' WHERE id = 2`, both,
			"kind, mode, outcome, head or final digest of ceremony 2"},
		{"another final.txt", `UPDATE kek_events SET data = CAST('x' AS BLOB) WHERE ceremony = 2 AND name = 'final.txt'`,
			both, "final.txt: the store differs"},
		{"an entry that is none", `INSERT INTO kek_events VALUES (2, 'events.jsonl', CAST('x' AS BLOB))`, both,
			"neither a line nor a final"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, suffix := range []string{"-wal", "-shm"} {
				_ = os.Remove(parts.Store() + suffix)
			}
			if err := os.WriteFile(parts.Store(), good, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite3", parts.Store())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(c.change); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if code, out, errs := run(t, c.args...); code != 4 || !strings.Contains(out+errs, c.says) {
				t.Errorf("exit %d, want 4 and %q\n%s%s", code, c.says, out, errs)
			}
		})
	}
	// The newest bundle dropped: the store knows of it.
	if err := os.WriteFile(parts.Store(), good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(bundlesOf(t, parts)[1]); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := run(t, both...); code != 4 ||
		!strings.Contains(out, "it has 2 ceremonies, but there are bundles of 1") {
		t.Errorf("the newest bundle dropped: exit %d\n%s", code, out)
	}
}
