package main_test

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// keptPromises looks at what the keys left.
func (h *leaning) keptPromises() {
	h.t.Helper()
	var approved, begun bool // that version 1 is destroyed
	signed, finals := map[string]int{}, 0
	for _, dir := range bundlesOf(h.t, h.Parts) {
		if slices.Contains(h.closed, dir) {
			continue
		}
		if code, out, _ := run(h.t, "transcript", "verify", dir); code != 0 && code != 5 {
			h.t.Errorf("verify: exit %d\n%s", code, out)
		}
		log, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
		if err != nil {
			h.t.Fatal(err)
		}
		before := signed["destroy"]
		for word, n := range h.signedIn(filepath.Base(dir), log) {
			signed[word] += n
		}
		if strings.HasSuffix(dir, "-destroy") {
			approved = signed["destroy"]-before >= 2
			begun = bytes.Contains(log, []byte(`"kind":"begun","step":"destroy"`))
		}
		of, _ := filepath.Glob(filepath.Join(dir, "final.*.sig"))
		finals += len(of)
	}
	for word, n := range signed {
		if n > h.typed[word] {
			h.t.Errorf("%d signed with %q, which was typed %d times", n, word, h.typed[word])
		}
	}
	if said := h.typed["followed"] + h.typed["deviations"] + h.typed["disagree"]; finals > said {
		h.t.Errorf("%d finals, and %d verdicts were typed", finals, said)
	}
	h.keysKept(approved && begun)
	h.noPIN()
	h.t.Logf("signed %v, %d finals; destroyed: %v", signed, finals, approved && begun)
}

var signedLine = regexp.MustCompile(`"kind":"signed","step":"([a-z-]+)"`)

// signedIn is how often each word was needed for the signatures of a log.
func (h *leaning) signedIn(name string, log []byte) map[string]int {
	kind := regexp.MustCompile(`-([a-z]+)(-void)?$`).FindStringSubmatch(name)[1]
	to := map[string]string{"install": "1", "rotate": "2"}[kind]
	if kind == "rotate" && h.after > 1 {
		to = "3"
	}
	signed := map[string]int{}
	for line := range strings.Lines(string(log)) {
		m := signedLine.FindStringSubmatch(line)
		switch {
		case m == nil:
		case m[1] == "approve" || m[1] == "approve-key" || m[1] == "approve-pin":
			if to == "" {
				to = kind
			}
			signed[to]++
		case strings.HasPrefix(m[1], "abort"), strings.Contains(line, "abort"):
			signed["abort"]++
		default:
			for _, p := range h.people {
				if strings.Contains(line, `"signer":"`+p.Name+`"`) {
					signed[p.Name]++
				}
			}
		}
	}
	return signed
}

var madeKey = regexp.MustCompile(`(?i)kek[-_][0-9a-z_-]*v([0-9]+)`)

// keysKept demands every key that was there before, but for one whose destruction was approved and begun.
func (h *leaning) keysKept(destroyed bool) {
	h.t.Helper()
	var listed string
	if h.token {
		listed = h.program("pkcs11-tool", "--module", pkcs11test.Module(h.t), "--login", "--pin", handsPIN, "-O")
	} else if text, err := os.ReadFile(filepath.Join(h.Dir, "secrets.env")); err == nil {
		listed = string(text)
	}
	has := map[string]bool{}
	for _, m := range madeKey.FindAllStringSubmatch(listed, -1) {
		has[m[1]] = true
	}
	if h.after > 0 && !has["1"] && !destroyed || h.after > 1 && !has["2"] {
		h.t.Errorf("a key is lost; there are %v, in\n%s", slices.Collect(maps.Keys(has)), listed)
	}
}

// noPIN demands that the PIN is in nothing that was written.
func (h *leaning) noPIN() {
	h.t.Helper()
	if bytes.Contains(h.since(0), []byte(handsPIN)) {
		h.t.Error("the PIN was on the screen")
	}
	err := filepath.WalkDir(h.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || path == filepath.Join(h.Dir, "pin") {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(handsPIN)) {
			h.t.Errorf("the PIN is in %s", path)
		}
		return err
	})
	if err != nil {
		h.t.Error(err)
	}
}
