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

var update = flag.Bool("update", false, "write the bad specimens of transcripts/ again")

const specimens = "../../transcripts"

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

func slug(name string) string { return notSlug.ReplaceAllString(strings.ToLower(name), "-") }

// specimen is a bundle as it lies in transcripts/bad.
type specimen struct {
	path  string
	draft *draft
}

// TestSpecimens: the bad specimens, the void ones and good-words are what is made here, byte for byte, and
// the table has of each exit code, rule, and what to expect.
func TestSpecimens(t *testing.T) {
	bad := filepath.Join(specimens, "bad")
	var all []specimen
	table := "# exit code, rule, bundle or, under chains, directory of bundles\n"
	for _, a := range attacks {
		d := made(t, a)
		if size(d) > 1<<20 || len(d.Files) > 1000 {
			continue // C14: too much to keep
		}
		code := map[transcript.Standing]int{transcript.Bad: 4, transcript.Incomplete: 5}[a.want]
		table += fmt.Sprintf("%d  %-10s  bad/%s\n", code, a.rule, slug(a.name))
		all = append(all, specimen{slug(a.name), d})
	}
	for _, c := range brokenChains(t) {
		table += fmt.Sprintf("4  %-10s  bad/chains/%s\n", transcript.RuleChain, slug(c.name))
		for i, d := range c.drafts {
			all = append(all, specimen{fmt.Sprintf("chains/%s/%d", slug(c.name), i+1), d})
		}
	}
	all = append(all, specimen{"../good-words/0001-rotate", inOwnWords(t)})
	for name, d := range givenUp(t) {
		all = append(all, specimen{"../void/" + name, d})
	}
	if *update {
		write(t, bad, table, all)
	}
	for _, s := range all {
		dir := filepath.Join(bad, s.path)
		list, err := os.ReadDir(dir)
		if err != nil || len(list) != len(s.draft.Files) {
			t.Errorf("%s: %d files, want %d; write them with -update: %v", dir, len(list), len(s.draft.Files), err)
		}
		for name, want := range s.draft.Files {
			if have, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(have, want) {
				t.Errorf("%s/%s is not what the attack makes: %v", dir, name, err)
			}
		}
	}
	if have, err := os.ReadFile(filepath.Join(bad, "verdicts")); err != nil || string(have) != table {
		t.Errorf("verdicts: want\n%s", table)
	}
}

func write(t *testing.T, bad, table string, all []specimen) {
	t.Helper()
	for _, dir := range []string{bad, filepath.Join(specimens, "void"), filepath.Join(specimens, "good-words")} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range all {
		s.draft.Write(filepath.Join(bad, s.path))
	}
	if err := os.WriteFile(filepath.Join(bad, "verdicts"), []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
}

func size(d *draft) (n int) {
	for _, data := range d.Files {
		n += len(data)
	}
	return n
}
