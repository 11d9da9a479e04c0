package main_test

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store"
)

// TestKilledWhileWriting kills a rehearsal while it writes its records. The same command
// writes those that are missing, keeps those that are there, and continues to the end.
func TestKilledWhileWriting(t *testing.T) {
	t.Parallel()
	pkcs11test.Module(t)
	const n = 6000
	parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
	args := []string{"rehearse", "--only", "install,rotate",
		"--ui", "none", "--dir", parts.Dir, "--provider", "pkcs11", "--records", "6000"}
	cmd := exec.Command(binary, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitRecords(t, parts)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	before := records(t, parts, n)
	if len(before) == 0 || len(before) == n {
		t.Fatalf("it was killed when %d of %d records were there", len(before), n)
	}
	t.Logf("killed when %d of %d records were there", len(before), n)

	for _, b := range toCheck(t, must(t, args...)) {
		must(t, "transcript", "verify", b)
	}
	zeroAt(t, parts, 2)
	after := records(t, parts, n)
	if len(after) != n {
		t.Errorf("%d of %d records are there", len(after), n)
	}
	for i, e := range before { // a rotation leaves both as they are
		if !bytes.Equal(after[i].Nonce, e.Nonce) || !bytes.Equal(after[i].Ciphertext, e.Ciphertext) {
			t.Fatalf("record %d was there, and was written again", i)
		}
	}
}

// awaitRecords waits until a rehearsal has written some records.
func awaitRecords(t *testing.T, parts rehearsal.Parts) {
	t.Helper()
	guard := time.After(60 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-guard:
			t.Fatal("no record was ever written")
		case <-tick.C:
		}
		if len(bundlesOf(t, parts)) == 0 {
			continue // the store may not be there yet
		}
		db := openStore(t, parts)
		counts, err := db.Census(t.Context(), envelope.DefaultCatalogue())
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		if len(counts) > 0 {
			return
		}
	}
}

// records are those of a rehearsal's first n that are in the store.
func records(t *testing.T, parts rehearsal.Parts, n int) map[int]envelope.Envelope {
	t.Helper()
	db := openStore(t, parts)
	all := map[int]envelope.Envelope{}
	for i := range n {
		field, id := rehearsal.Record(i)
		e, err := db.Get(t.Context(), field, id)
		if err == nil {
			all[i] = e
		} else if !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
	}
	return all
}
