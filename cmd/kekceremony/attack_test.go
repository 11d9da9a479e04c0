package main_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"database/sql"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// TestAttacksOnTheNextRotation: after a good rehearsal somebody plants the next
// key on the token, or changes a canary in the store.
func TestAttacksOnTheNextRotation(t *testing.T) {
	t.Parallel()
	parts, bundles := rehearse(t, "--provider", "pkcs11", "--records", "50")
	pkcs11test.Setenv(t, "SOFTHSM2_CONF", parts.Token())
	rotate := func() (int, string) {
		code, _, errs := run(t, "rotate", "--to-version", "3", "--config", parts.Config(), "--ui", "none",
			"--answers", parts.Answers("rotate"))
		return code, errs
	}
	chain := kek.Chain(event(t, bundles[0], "opened", "")["chain"])
	three := kek.NameOf(chain, 3)
	known := filepath.Join(t.TempDir(), "known")
	value, _ := hex.DecodeString(strings.Repeat("42", kek.Size))
	if err := os.WriteFile(known, value, 0o600); err != nil {
		t.Fatal(err)
	}
	pkcs11test.Run(t, "pkcs11-tool", "--module", pkcs11test.Module(t), "--login", "--pin", rehearsal.PIN,
		"--write-object", known, "--type", "secrkey", "--key-type", "AES:32", "--label", three.Label, "--id", three.HexID(),
		"--usage-decrypt")
	if code, errs := rotate(); code != 3 || !strings.Contains(errs, "the key may have been outside the token") {
		t.Errorf("planted key: exit %d, %s", code, errs)
	}

	// The unfinished rotation to 3 is not taken for one to 4.
	code, _, errs := run(t, "rotate", "--to-version", "4", "--config", parts.Config(), "--ui", "none",
		"--answers", parts.Answers("rotate"))
	if code != 3 || !strings.Contains(errs, "rotate to version 3, asked for 4: another ceremony is not finished") {
		t.Errorf("another target: exit %d, %s", code, errs)
	}

	db, err := sql.Open("sqlite3", parts.Store())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE kek_versions SET canary_sha256 = ? WHERE id = 2`,
		hex.EncodeToString(bytes.Repeat([]byte{1}, 32))); err != nil {
		t.Fatal(err)
	}
	if code, errs := rotate(); code != 3 || !strings.Contains(errs, "the canary is not the one in the transcript") {
		t.Errorf("changed canary: exit %d, %s", code, errs)
	}
}
