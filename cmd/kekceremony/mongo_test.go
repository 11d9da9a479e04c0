package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestSameCeremonyOnMongo runs the same rehearsal on MongoDB and on SQLite: the
// events are the same but for ids and times. The network swallows one of MongoDB's answers.
func TestSameCeremonyOnMongo(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	args := []string{"--provider", "pkcs11", "--records", "60"}
	_, onSQLite := rehearse(t, args...)
	const line = "insert kek_events"
	if server.Proxy != nil {
		server.Swallow(line, 20, true)
	}
	_, onMongo := rehearse(t, append(args, "--store", server.Absent(t))...)
	if server.Proxy != nil && server.Ordered(line) > 0 {
		t.Error("no answer was swallowed")
	}
	if len(onMongo) != 2 || len(onSQLite) != 2 {
		t.Fatalf("bundles %v and %v", onMongo, onSQLite)
	}
	must(t, append([]string{"transcript", "verify"}, onMongo...)...)
	for i := range onMongo {
		a, b := events(t, onSQLite[i]), events(t, onMongo[i])
		if len(a) < 15 {
			t.Errorf("only %d events", len(a))
		}
		for n := range max(len(a), len(b)) {
			if n >= len(a) || n >= len(b) || a[n] != b[n] {
				t.Fatalf("event %d of ceremony %d differs:\nSQLite  %s\nMongoDB %s", n, i+1, at(a, n), at(b, n))
			}
		}
	}
}

func at(all []string, n int) string {
	if n < len(all) {
		return all[n]
	}
	return "(none)"
}

// idsAndTimes is what differs between two runs of the same ceremony: the names
// it made up, and what it measured.
var idsAndTimes = []*regexp.Regexp{
	regexp.MustCompile(`\d+ heartbeats not seen`), // of processes that were slow
	regexp.MustCompile(`about [\d,]+ re-wraps/s, best with \d+`),
	regexp.MustCompile(`(sqlite|mongodb):.*`),
	regexp.MustCompile(`/\S+`),
	regexp.MustCompile(`[0-9a-f]{8,}`),
	regexp.MustCompile(`SHA256:\S+`),
	regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`),
	regexp.MustCompile(`[^\s/]+/app/\d+/[\d.]+`),
}

// ofFence is what a plan says of a fence, and its name among the acts.
var ofFence = regexp.MustCompile(`(?m)^effect: \d+ (un)?fence.*\n|^(yes|unfenced: .*)$| fence\b`)

// effectNumber is how a plan counts its effects.
var effectNumber = regexp.MustCompile(`(?m)^effect: \d+ `)

// events is each event as kind, step and facts, without what idsAndTimes finds.
func events(t *testing.T, bundle string) (all []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(bundle, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var e struct {
			Kind, Step string
			Facts      map[string]string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Step == transcript.ActFence { // FerretDB sets none
			continue
		}
		text := e.Kind + " " + e.Step
		for _, name := range slices.Sorted(maps.Keys(e.Facts)) {
			value := ofFence.ReplaceAllString(e.Facts[name], "")
			if name == "signature" || name == "roster" || name == "took" || name == "workers" {
				value = "#"
			}
			value = effectNumber.ReplaceAllString(value, "effect: ")
			for _, r := range idsAndTimes {
				value = r.ReplaceAllString(value, "#")
			}
			text += fmt.Sprintf("\n  %s: %s", name, value)
		}
		all = append(all, text)
	}
	return all
}
