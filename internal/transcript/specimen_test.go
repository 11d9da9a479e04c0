package transcript_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/transcript"
)

var update = flag.Bool("update", false, "write the bad specimens of transcripts/ anew")

const specimens = "../../transcripts"

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

func (a attack) slug() string { return notSlug.ReplaceAllString(strings.ToLower(a.name), "-") }

// TestSpecimens: the bad specimens are what the attacks make, byte for byte, and the
// table tells of each exit code, rule, and what to expect.
func TestSpecimens(t *testing.T) {
	bad := filepath.Join(specimens, "bad")
	if *update {
		if err := os.RemoveAll(bad); err != nil {
			t.Fatal(err)
		}
	}
	table := "# exit code, rule, bundle\n"
	for _, a := range attacks {
		d := made(t, a)
		if size(d) > 1<<20 || len(d.Files) > 1000 {
			continue // C14: too much to keep
		}
		code := map[transcript.Standing]int{transcript.Bad: 4, transcript.Incomplete: 5}[a.want]
		table += fmt.Sprintf("%d  %-10s  bad/%s\n", code, a.rule, a.slug())
		dir := filepath.Join(bad, a.slug())
		if *update {
			d.Write(dir)
		}
		list, err := os.ReadDir(dir)
		if err != nil || len(list) != len(d.Files) {
			t.Errorf("%s: %d files, want %d; write them with -update: %v", dir, len(list), len(d.Files), err)
		}
		for name, want := range d.Files {
			if have, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(have, want) {
				t.Errorf("%s/%s is not what the attack makes: %v", dir, name, err)
			}
		}
	}
	path := filepath.Join(bad, "verdicts")
	if *update {
		if err := os.WriteFile(path, []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != table {
		t.Errorf("%s: want\n%s", path, table)
	}
}

func size(d *draft) (n int) {
	for _, data := range d.Files {
		n += len(data)
	}
	return n
}
