package main_test

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// apart has the console of a rehearsal come through a door of its own; the fleet keeps the other.
func apart(t *testing.T, server *mongotest.Server, parts rehearsal.Parts) *mongotest.Proxy {
	t.Helper()
	return apartWith(t, server, parts, "")
}

// soon has the driver hear soon that the network is gone.
const soon = "connectTimeoutMS=1000&heartbeatFrequencyMS=500"

// apartWith is apart with options of the console's URI.
func apartWith(t *testing.T, server *mongotest.Server, parts rehearsal.Parts, options string) *mongotest.Proxy {
	t.Helper()
	server.NeedProxy(t)
	door := server.Door(t)
	config, err := os.ReadFile(parts.Config())
	if err != nil {
		t.Fatal(err)
	}
	uri := mongoURI(t, parts)
	own := server.Through(door, uri)
	if options != "" {
		own = mongotest.With(own, options)
	}
	config = bytes.Replace(config, []byte(uri), []byte(own), 1)
	if err := os.WriteFile(parts.Config(), config, 0o600); err != nil {
		t.Fatal(err)
	}
	return door
}

// notOpened is said where the store could not be opened: then, silence is not waited out.
var notOpened = regexp.MustCompile("open store .*: the store does not answer")

// TestElectionInEachStep: in each step of a rotation, a command of the console is answered as by a primary that steps
// down, before it or after it carried the command out. The rotation continues by itself, and does everything once.
func TestElectionInEachStep(t *testing.T) {
	t.Parallel()
	const records = 60
	server := mongotest.Start(t)
	parts, a := swiftOn(t, server, records)
	door := apart(t, server, parts)
	s := newStages(parts)
	door.Elect(s.meets)
	steps := s.through(t, nil, rotateTo(parts, 2))
	t.Log(door.Elections(), "elections in", steps)
	door.Elect(nil)
	demand(t, steps, "probe", "generate", "canary", "fleet", "scan", "approve", "switch", "re-wrap", "census", "retire")
	whole(t, parts, a, records)
}

// demand demands that all are there.
func demand(t *testing.T, have []string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(have, w) {
			t.Errorf("nothing met in %s; only %v", w, have)
		}
	}
}

// TestHoleInSteps has the network swallow everything from the first command of an act, until the console tries a new
// connection. The rotation continues by itself.
func TestHoleInSteps(t *testing.T) {
	t.Parallel()
	const records = 60
	server := mongotest.Start(t)
	parts, a := swiftOn(t, server, records)
	door := apartWith(t, server, parts, soon)
	s := newStages(parts)
	s.only = func(at stage, kind string) bool {
		return kind != ofLog && at.kind == "begun" && (at.step == "switch" || at.step == "re-wrap")
	}
	door.HoleFrom(s.meets, 1)
	demand(t, s.through(t, notOpened, rotateTo(parts, 2)), "switch", "re-wrap")
	door.Hole(false)
	whole(t, parts, a, records)
}

// TestSlowRotation rotates over a link of 900 KB/s, which also breaks in the middle of each answer that has more than a
// few records: so only that the store asks for less ends it.
func TestSlowRotation(t *testing.T) {
	t.Parallel()
	slowRotation(t, 60, 30, 900<<10, 200<<10)
}

// slowRotation rotates over a link of so many bytes a second, which breaks in an answer of more than fragile bytes, or
// does not: records with envelopes, and others of one collection, each of 16 KB.
func slowRotation(t *testing.T, records, others, rate, fragile int) {
	t.Helper()
	const size = 16 << 10
	server := mongotest.Start(t)
	parts, a := swiftOn(t, server, records)
	uri := mongoURI(t, parts)
	for _, c := range envelope.DefaultCatalogue().Collections() {
		server.Enlarge(t, uri, c.Name, size)
	}
	for i := range others {
		server.Insert(t, uri, "others", []any{bson.D{{Key: "_id", Value: i}, {Key: "more", Value: make([]byte, size)}}})
	}
	door := apart(t, server, parts)
	door.Slow(rate)
	door.Fragile(fragile)
	began := time.Now()
	must(t, rotateTo(parts, 2)...)
	t.Log(time.Since(began).Round(time.Second), event(t, bundlesOf(t, parts)[1], "found", "scan"))
	door.Slow(0)
	door.Fragile(0)
	whole(t, parts, a, records)
}
