// Package transcript is the record of a ceremony: a log of events chained by
// digests, the statements people signed, and the bundle directory that holds
// them. It knows nothing of steps, stores or providers; docs/transcript-format.md
// tells its bytes.
package transcript

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// Kind says what an event is.
type Kind string

// The kinds of events.
const (
	Opened     Kind = "opened"      // line 0: chain, ceremony, mode, tool, what went before
	Roster     Kind = "roster"      // embeds the roster
	NextRoster Kind = "next-roster" // embeds the roster that is to be
	Deviation  Kind = "deviation"   // something is not as expected, and people continue
	Answered   Kind = "answered"    // a person answered a step's questions
	Found      Kind = "found"       // a step looked
	Noted      Kind = "noted"       // worth recording, changes no fact
	Asked      Kind = "asked"       // attendance is asked, with nonces
	Plan       Kind = "plan"        // embeds the plan whose approval is asked
	Signed     Kind = "signed"      // embeds a statement and its signature
	Gathered   Kind = "gathered"    // enough have signed
	Begun      Kind = "begun"       // an act is about to change something
	Done       Kind = "done"        // an act is done and was looked at again
	Failed     Kind = "failed"      // a step failed; the ceremony may continue later
	Waiting    Kind = "waiting"     // people are missing; the same command continues
	Resumed    Kind = "resumed"     // another run of the tool continues
	Closed     Kind = "closed"      // the last line
)

// kinds are all there are.
var kinds = []Kind{
	Opened, Roster, NextRoster, Deviation, Answered, Found, Noted, Asked, Plan, Signed,
	Gathered, Begun, Done, Failed, Waiting, Resumed, Closed,
}

// What the first line of a log says of its own form. New logs are written in the newest one;
// one that was begun in another is continued in that.
const (
	FormatV1 = "kekceremony transcript v1"
	Format   = "kekceremony transcript v2"
)

const logFile = "events.jsonl"

// Event is one line of events.jsonl.
type Event struct {
	Prev  string `json:"prev"` // SHA-256 of the line before with its LF, hex
	Seq   int    `json:"seq"`  // from 0
	Time  string `json:"time"` // RFC 3339, UTC, the console's clock
	Kind  Kind   `json:"kind"`
	Step  string `json:"step,omitempty"`
	Facts Facts  `json:"facts,omitempty"`
}

// NoDigest stands where nothing went before.
const NoDigest = "0000000000000000000000000000000000000000000000000000000000000000"

// Digest is SHA-256, hex.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// EntryName is the name of line seq in the store.
func EntryName(seq int) string { return fmt.Sprintf("%06d", seq) }

// ParseEntryName tells a line's entry from a file's.
func ParseEntryName(name string) (seq int, isLine bool) {
	if len(name) != 6 || strings.Trim(name, "0123456789") != "" {
		return 0, false
	}
	seq, err := strconv.Atoi(name)
	return seq, err == nil
}

// Line is the event's one encoding, with its LF.
func (e Event) Line() ([]byte, error) {
	for _, text := range []string{e.Prev, e.Time, string(e.Kind), e.Step} {
		if err := ascii(text, false); err != nil {
			return nil, fmt.Errorf("event %d: %w", e.Seq, err)
		}
	}
	for name, value := range e.Facts {
		err := ascii(name, false)
		if err == nil {
			err = ascii(value, slices.Contains(texts, name))
		}
		if err != nil {
			return nil, fmt.Errorf("event %d: fact %s: %w", e.Seq, printable.Text(name), err)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("event %d: %w", e.Seq, err)
	}
	return b.Bytes(), nil
}

// texts are the facts of more than one line. Every other one may stand in a line of a
// statement or a report.
var texts = []string{FactRoster, FactNextRoster, FactExclude, FactPlan, FactStatement, FactSignature}

// ascii allows printable ASCII, and line feeds in a text.
func ascii(s string, text bool) error {
	for i := range len(s) {
		if b := s[i]; (b < ' ' || b > '~') && !(text && b == '\n') {
			return fmt.Errorf("byte 0x%02x at %d, want printable ASCII", b, i)
		}
	}
	return nil
}

// ParseLine reads a line with its LF. The event must encode to the same bytes
// again, so that there is one way to write each.
func ParseLine(line []byte) (Event, error) {
	var e Event
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return e, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return e, errors.New("something follows the object")
	}
	again, err := e.Line()
	if err != nil {
		return e, err
	}
	if !bytes.Equal(again, line) {
		return e, errors.New("not in the one form an event is written in")
	}
	t, err := time.Parse(time.RFC3339, e.Time)
	if err != nil || t.UTC().Format(time.RFC3339) != e.Time || t.Unix() <= 0 { // stock ssh-keygen refuses none of 1970
		return e, fmt.Errorf("time %q", e.Time)
	}
	return e, nil
}

// Events is a log, in order.
type Events []Event

// ParseLog reads whole lines and checks that each follows from the one before.
func ParseLog(data []byte) (Events, error) {
	var events Events
	prev := ""
	for line := range bytes.Lines(data) {
		n := len(events)
		e, err := ParseLine(line)
		if err != nil {
			return events, fmt.Errorf("events.jsonl line %d: %w", n+1, err)
		}
		if e.Seq != n {
			return events, fmt.Errorf("events.jsonl line %d: seq is %d, want %d", n+1, e.Seq, n)
		}
		if n > 0 && e.Prev != prev {
			return events, fmt.Errorf("events.jsonl line %d: prev is not the digest of line %d", n+1, n)
		}
		prev = Digest(line)
		events = append(events, e)
	}
	return events, nil
}

// Clock is when the event was written, as the console claims it.
func (e Event) Clock() time.Time {
	t, _ := time.Parse(time.RFC3339, e.Time) // ParseLine refuses any other form
	return t
}

// End is the time of the last event: a key that signs a final is good then.
func (es Events) End() time.Time {
	if len(es) == 0 {
		return time.Time{}
	}
	return es[len(es)-1].Clock()
}

// Head is the digest of line e.
func (e Event) Head() string {
	line, err := e.Line()
	if err != nil {
		return NoDigest // cannot be: every event here was written or parsed
	}
	return Digest(line)
}

// owned are facts on which people's rights or the ceremony itself hang, with the kinds that
// may tell them.
// Those of a name that ends in a dot or an underscore begin so.
var owned = map[string][]Kind{
	FactChain: {Opened}, FactCeremony: {Opened}, FactKind: {Opened}, FactMode: {Opened},
	FactFrom: {Opened}, FactTo: {Opened}, FactGenerate: {Opened}, FactExclude: {Opened},
	FactBound:  {Opened},
	FactRoster: {Roster}, FactRoster + "_sha256": {Roster},
	FactNextRoster: {NextRoster}, FactNextRoster + "_sha256": {NextRoster, Asked, Done},
	FactAttended: {Gathered}, FactChanged: {Done}, FactLocked: {Done}, factCanary: {Done}, FactBegun: {},
	FactRetired: {Done}, FactRebuild: {Opened}, FactStanding: {Done}, factAdopted: {Done},
	FactRecords: {Opened}, FactPointer: {Opened}, FactVersion: {Opened}, FactEpoch: {Opened}, FactWait: {Found},
	FactRelisted: {Opened}, FactStays: {Opened},
	FactFence: {Opened}, FactFenced: {Done},
	FactCopies: {Done}, FactAttempt: {Noted}, FactAttempts: {}, FactGone: {Found}, FactKept: {Noted},
	FactDisabledBy: {Opened}, FactWaitEnds: {Opened}, FactCloses: {Opened},
	FactOperator: {Answered}, FactReason: {Answered},
}

// may reports whether the event's kind may hold a fact.
func (e Event) may(name string) bool {
	for own, kinds := range owned {
		prefix := strings.HasSuffix(own, "_") || strings.HasSuffix(own, ".")
		if (name == own || prefix && strings.HasPrefix(name, own)) && !slices.Contains(kinds, e.Kind) {
			return false
		}
	}
	return true
}

// misplaced names a fact that the event's kind may not hold; empty: none.
func (e Event) misplaced() string {
	for _, name := range slices.Sorted(maps.Keys(e.Facts)) {
		if !e.may(name) {
			return name
		}
	}
	return ""
}
