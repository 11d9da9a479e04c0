package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// record takes down every screen that differs from the one before, until stopped.
func (p *pane) record() (stop func() []string) {
	done := make(chan struct{})
	var screens []string
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(60 * time.Millisecond)
		defer tick.Stop()
		for {
			if s := p.screen(); len(screens) == 0 || screens[len(screens)-1] != s {
				screens = append(screens, s)
			}
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return func() []string { close(done); wg.Wait(); return screens }
}

var (
	// live matches what moves by itself: it is on the screen and in no event.
	live = regexp.MustCompile(`\d+ of ~\d+ min|\d+ min ─|ETA .*|rate +[\d,]+/s|[\d.]+ %|` +
		`(seen|since|until) [\d:]+|pass \d+|rehearsal: \d+|near [\d:]+|[\d.]+ times; to|-\d+$`)
	// counted matches the counts of the re-wrap, which have a check of their own.
	counted  = regexp.MustCompile(`done +([\d,]+) +left +([\d,]+) +of ([\d,]+)`)
	trouble  = regexp.MustCompile(`conflicts +([\d,]+) +undecryptable +([\d,]+)`)
	numbered = regexp.MustCompile(`step \d+ of \d+`)
	fixed    = regexp.MustCompile(` {2,}[1-9]  [a-z-]+ |count [12] |alarm|sha256sum|HH:MM \+02:00|^ *\d+\. `)
	ours     = regexp.MustCompile(`kekceremony-test-\d+`) // the directory of the program
	placed   = regexp.MustCompile(`step .*|done`)
	grouped  = regexp.MustCompile(`^\d{1,3}(,\d{3})+$`)
	number   = regexp.MustCompile(`[A-Za-z0-9:+_.,-]*\d[A-Za-z0-9:+_.,-]*`)
)

// inTheLog demands that each number on the recorded screens of a ceremony stands
// in its log, whatever page it is on.
func inTheLog(t *testing.T, screens []string, kind, bundle string, also ...string) {
	t.Helper()
	facts := strings.Join(append(factsOf(t, bundle), also...), "\n")
	pages := map[string]int{}
	for _, s := range screens {
		head, body, _ := strings.Cut(s, "\n")
		if !strings.Contains(head, "─ "+kind) {
			continue
		}
		pages[placed.FindString(head)]++
		if c := counted.FindStringSubmatch(body); c != nil {
			done, left, total := numeral(c[1]), numeral(c[2]), numeral(c[3])
			if done+left != total || strconv.Itoa(total) != event(t, bundle, "found", "scan")["due"] {
				t.Errorf("done %d, left %d, of %d:\n%s", done, left, total, s)
			}
		}
		if c := trouble.FindStringSubmatch(body); c != nil {
			end := event(t, bundle, "done", "re-wrap")
			if numeral(c[1]) > numeral(end["conflicts"]) || numeral(c[2]) > numeral(end["poison"]) {
				t.Errorf("%s at the end, on the way:\n%s", end, s)
			}
		}
		for line := range strings.Lines(body) {
			for _, known := range []*regexp.Regexp{live, counted, trouble, numbered, fixed, ours} {
				line = known.ReplaceAllString(line, " ")
			}
			for _, n := range number.FindAllString(line, -1) {
				n, plain := strings.Trim(n, ".,:-_"), n
				if grouped.MatchString(n) { // a count; what a provider says in words is in the log as it is
					plain = strings.ReplaceAll(n, ",", "")
				}
				if !strings.Contains(facts, n) && !strings.Contains(facts, strings.Trim(plain, ".,:-_")) {
					t.Errorf("%q is on the screen and not in the log:\n%s", n, s)
					return
				}
			}
		}
	}
	if len(pages) < 5 {
		t.Errorf("only %d pages of %s were seen: %v", len(pages), kind, pages)
	}
}

// numeral reads 10,000.
func numeral(text string) int {
	n, err := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
	if err != nil {
		return -1
	}
	return n
}

// fingerprints is what stock ssh-keygen says of the operators' keys.
func fingerprints(t *testing.T, parts rehearsal.Parts) (all string) {
	t.Helper()
	for _, name := range rehearsal.Operators {
		all += pkcs11test.Run(t, "ssh-keygen", "-l", "-f", parts.Key(name)+".pub")
	}
	return all
}

// factsOf is every fact and time of a bundle's log.
func factsOf(t *testing.T, bundle string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(bundle, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		var e struct {
			Time  string
			Facts map[string]string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Time)
		for name, value := range e.Facts {
			all = append(all, name, value)
		}
	}
	return slices.Compact(all)
}
