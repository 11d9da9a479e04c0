package transcript_test

import (
	"bytes"
	"testing"

	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// FuzzEvents: a log that is read is written again alike, and of the bundles that a
// store tells, only the one that was signed is good.
func FuzzEvents(f *testing.F) {
	d := transcripttest.Rotation(f).Build()
	log := d.Files["events.jsonl"]
	f.Add(log)
	for line := range bytes.Lines(log) {
		f.Add(line)
	}
	finals := entriesOf(d)
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := transcript.ParseLog(data)
		if err != nil {
			return
		}
		var again []byte
		for _, e := range events {
			line, err := e.Line()
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, line...)
		}
		if !bytes.Equal(again, data) {
			t.Errorf("%q is written as %q", data, again)
		}
		b, err := transcript.Rebuild("b", append([]transcript.Entry{{Name: "000000", Data: data}}, finals...))
		if err != nil {
			return
		}
		if _, err := b.Verify(); err == nil && !bytes.Equal(data, log) {
			t.Errorf("good: %q", data)
		}
	})
}

// FuzzStatement: no other final of alice is accepted than the one she signed.
func FuzzStatement(f *testing.F) {
	d := transcripttest.Rotation(f).Build()
	good := d.Files["final.alice.txt"]
	f.Add(good)
	log := transcript.Entry{Name: "000000", Data: d.Files["events.jsonl"]}
	f.Fuzz(func(t *testing.T, statement []byte) {
		entries := append([]transcript.Entry{log}, entriesOf(d)...)
		for i := range entries {
			if entries[i].Name == "final.alice.txt" {
				entries[i].Data = statement
			}
		}
		b, err := transcript.Rebuild("b", entries)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Verify(); err == nil && !bytes.Equal(statement, good) {
			t.Errorf("good: %q", statement)
		}
	})
}

// entriesOf are the finals, as a store holds them.
func entriesOf(d *draft) (entries []transcript.Entry) {
	for name, data := range d.Files {
		if bytes.HasPrefix([]byte(name), []byte("final.")) {
			entries = append(entries, transcript.Entry{Name: name, Data: data})
		}
	}
	return entries
}
