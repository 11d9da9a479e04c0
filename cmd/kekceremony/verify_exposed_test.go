package main_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// TestVerifyExposed: after a compromise and a rotation, verify says what is left of what was exposed, as status does,
// and ends with 6 until nothing is: a re-wrap helps none of it. Without the lists, it says that it cannot tell.
func TestVerifyExposed(t *testing.T) {
	t.Parallel()
	needHostName(t)
	s := newScene(t, t.TempDir(), binary, quorum.Rehearsal)
	s.emptyStore()
	s.run("install")
	if err := s.application().Write(t.Context(), sceneRecords); err != nil {
		t.Fatal(err)
	}
	agent := s.agent()
	defer end(agent)
	s.verifies(0, "")
	s.run("compromise", "--version", "1")
	s.run("rotate", "--to-version", "2")
	left := func(n int) string {
		return fmt.Sprintf("version 1 was compromised: %d of %d envelopes were re-wrapped at most, and not resealed", n,
			sceneRecords)
	}
	s.verifies(6, left(sceneRecords))

	lists, err := filepath.Glob(filepath.Join(s.Bundles(), ".*.exposed.*"))
	if err != nil || len(lists) == 0 {
		t.Fatalf("lists: %v, %v", lists, err)
	}
	for _, path := range lists {
		s.rename(path, path+".away")
	}
	s.verifies(6, fmt.Sprintf("version 1 was compromised: how many of at most %d envelopes were not resealed since is "+
		"unknown", 2*sceneRecords)) // by two lists
	for _, path := range lists {
		s.rename(path+".away", path)
	}

	db, err := sql.Open("sqlite3", "file:"+s.Store()+"?_busy_timeout=60000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, c := range envelope.DefaultCatalogue().Collections() {
		if _, err := db.ExecContext(t.Context(), "DELETE FROM "+c.Name); err != nil {
			t.Fatal(err)
		}
	}
	s.verifies(0, fmt.Sprintf("version 1 was compromised: all of %d envelopes were resealed or deleted", sceneRecords))
}

// verifies demands an exit code of verify, and what it says of exposed envelopes; empty: nothing.
func (s scene) verifies(want int, exposed string) {
	s.t.Helper()
	code, said := s.exec("verify", "--config", here+"/config.yaml")
	if has := strings.Contains(said, "exposed "); code != want || has != (exposed != "") ||
		has && !strings.Contains(said, "exposed "+exposed+"\n") {
		s.t.Errorf("verify: exit %d, want %d and %q\n%s", code, want, exposed, said)
	}
}

func (s scene) rename(from, to string) {
	s.t.Helper()
	if err := os.Rename(from, to); err != nil {
		s.t.Fatal(err)
	}
}
