package engine_test

import (
	"slices"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestPeople: what somebody signed in an earlier run says so: those who attended it are asked again.
func TestPeople(t *testing.T) {
	signed := func(step string) transcript.Event {
		return transcript.Event{Kind: transcript.Signed, Step: step, Time: "2026-11-23T14:05:12Z",
			Facts: transcript.Facts{transcript.FactSigner: "alice"}}
	}
	roster := quorum.Roster{Members: []quorum.Member{{Name: "alice"}}}
	log := transcript.Events{signed("attend"), {Kind: transcript.Resumed}, {Kind: transcript.Resumed}, signed("approve")}
	people := engine.People(roster, quorum.Rehearsal, log, func(string) bool { return false })
	want := []engine.Signature{{Step: "attend", At: "14:05:12", Run: 1}, {Step: "approve", At: "14:05:12"}}
	if len(people) != 1 || !slices.Equal(people[0].Signed, want) {
		t.Errorf("%+v, want %+v", people, want)
	}
}
