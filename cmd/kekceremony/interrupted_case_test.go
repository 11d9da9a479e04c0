package main_test

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

const interrupted = "testdata/interrupted"

// casePath is the archive of a case, and closedPath that of a bundle which some cases share.
func casePath(name string) string   { return filepath.Join(interrupted, name+".tar.gz") }
func closedPath(name string) string { return filepath.Join(interrupted, "closed", name+".tar.gz") }

// interruptedCase is one archive, named MODE-COMMAND-NUMBER-POSITION.
type interruptedCase struct {
	name, kind string
	number     int
	mode       quorum.Mode
}

var caseName = regexp.MustCompile(`^((?:waiting|signed|late)-)?([a-z]+)-(\d\d)-\S+$`)

// interruptedCases lists the cases that a pattern matches.
func interruptedCases(t *testing.T, pattern string) (all []interruptedCase) {
	t.Helper()
	paths, err := filepath.Glob(casePath(pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		c := interruptedCase{name: strings.TrimSuffix(filepath.Base(path), ".tar.gz"), mode: quorum.Rehearsal}
		m := caseName.FindStringSubmatch(c.name)
		if m == nil {
			t.Fatalf("%s is no name of a case", c.name)
		}
		if m[1] != "" {
			c.mode = quorum.Production
		}
		c.kind = m[2]
		c.number, _ = strconv.Atoi(m[3]) // two digits
		all = append(all, c)
	}
	return all
}

// scene unpacks a case and the closed bundles that its store knows.
func (c interruptedCase) scene(t *testing.T) scene {
	t.Helper()
	s := newScene(t, t.TempDir(), binary, c.mode)
	s.unpack(casePath(c.name))
	s.touched(1_000)
	return s
}

func (s scene) unpack(archive string) {
	s.t.Helper()
	unpack(s.t, archive, s.Dir)
	for _, name := range s.closed() {
		unpack(s.t, closedPath(name), s.Dir)
	}
}

// closed are the bundles of the ceremonies before the last one.
func (s scene) closed() (names []string) {
	s.t.Helper()
	all, err := openStore(s.t, s.Parts).Ceremonies(s.t.Context())
	if err != nil || len(all) == 0 {
		s.t.Fatalf("%d ceremonies, %v", len(all), err)
	}
	for _, c := range all[:len(all)-1] {
		names = append(names, c.Bundle)
	}
	return names
}
