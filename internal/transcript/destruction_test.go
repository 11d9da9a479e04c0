package transcript_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// signedWait is how long the version of these chains has to stay disabled.
const signedWait = 720 * time.Hour

// onVersion is a ceremony of a kind on version 1 that follows another, an hour later.
func onVersion(d *draft, kind, more string) *draft {
	n := d.Next()
	maps.Copy(n.Events[0].Facts, transcript.Facts{"kind": kind, "version": "1", "format": transcript.Format,
		"tool_sha256": transcript.Digest([]byte("the tool")), "script_sha256": transcript.Digest([]byte("the script"))})
	text := "kekceremony plan v1\nkind: " + kind + "\nversion: 1\n" + more
	plan := n.Events[n.Find(transcript.Plan, "approve", "")].Facts
	plan["plan"], plan["sha256"], plan["acts"] = text, transcript.Digest([]byte(text)), kind
	for _, event := range []transcript.Kind{transcript.Begun, transcript.Done} {
		e := &n.Events[n.Find(event, "switch", "")]
		e.Step, e.Facts = kind, nil
	}
	return n
}

// disabling is a rotation, and the ceremony after it, which disables version 1.
func disabling(t testing.TB) (rotated, disabled *draft) {
	rotated = transcripttest.Newest(t).Build()
	return rotated, onVersion(rotated, transcript.KindDisable, "wait: 720h0m0s\n").Build()
}

// destroying is a ceremony after others that destroys version 1, which by disabled. Its act begins when the
// wait is over, or later or earlier.
func destroying(after, by *draft, later time.Duration) *draft {
	n := onVersion(after, transcript.KindDestroy, "")
	n.Events[0].Facts["disabled_by"] = by.Events[0].Facts["ceremony"] + " " +
		transcript.Digest(by.Files[transcript.CoreFile])
	began := by.Events[len(by.Events)-1].Clock().Add(signedWait + later)
	for i := range n.Events {
		n.Events[i].Time = began.Format(time.RFC3339)
	}
	return n
}

// brokenDestructions are chains in which a key was destroyed that might have been needed.
func brokenDestructions(t testing.TB) []brokenChain {
	rotated, disabled := disabling(t)
	enabled := onVersion(disabled, transcript.KindEnable, "").Build()
	changed := func(change func(opened transcript.Facts)) *draft {
		n := destroying(disabled, disabled, 0)
		change(n.Events[0].Facts)
		return n.Build()
	}
	return []brokenChain{
		{"a destruction that was too early",
			[]*draft{rotated, disabled, destroying(disabled, disabled, -time.Second).Build()},
			"the destruction began at 2026-12-24T10:59:59Z, and had to wait until 2026-12-24T11:00:00Z"},
		{"a destruction of what was enabled since", []*draft{rotated, disabled, enabled,
			destroying(enabled, disabled, 0).Build()}, "version 1 was enabled by ceremony 3, after it was disabled"},
		{"a destruction that names no disable", []*draft{rotated, disabled, changed(func(opened transcript.Facts) {
			opened["disabled_by"] = "1 " + transcript.Digest(rotated.Files[transcript.CoreFile])
		})}, "no ceremony before it disabled version 1, as its first line says"},
		{"a destruction of another version", []*draft{rotated, disabled, changed(func(opened transcript.Facts) {
			opened["version"] = "2"
		})}, "no ceremony before it disabled version 2, as its first line says"},
		{"copies closed of a key that nobody destroyed", []*draft{rotated, disabled, changed(func(opened transcript.Facts) {
			opened["closes"] = "yes"
		})}, "it closes copies of version 1, and no ceremony before it destroyed the key"},
	}
}

// disables makes a good disable of version 1 of a rotation, but for these lines of its plan.
func disables(lines string) func(*draft) {
	return func(d *draft) {
		d.Events[0].Facts["kind"], d.Events[0].Facts["version"] = transcript.KindDisable, "1"
		text := "kekceremony plan v1\nkind: disable\n" + lines
		plan := d.Events[d.Find(transcript.Plan, "approve", "")].Facts
		plan["plan"], plan["sha256"], plan["acts"] = text, transcript.Digest([]byte(text)), transcript.ActDisable
		d.Events = d.Events[:d.Find(transcript.Begun, "switch", "")]
		d.Add(transcript.Begun, transcript.ActDisable, nil)
		d.Add(transcript.Done, transcript.ActDisable, nil)
		d.Add(transcript.Closed, "", transcript.Facts{"outcome": "done"})
	}
}

// TestDisabledRightly: every waiting period that a program writes is taken.
func TestDisabledRightly(t *testing.T) {
	for _, wait := range []time.Duration{signedWait, time.Nanosecond, 1500 * time.Microsecond, 90 * time.Second,
		1500 * time.Millisecond, time.Hour + time.Millisecond} {
		d := transcripttest.Newest(t)
		disables("version: 1\nwait: " + wait.String() + "\n")(d)
		if _, err := transcript.Verify(d.Build().Write(t.TempDir())); err != nil {
			t.Errorf("%s: %v", wait, err)
		}
	}
}

// TestDestroyedRightly: the wait over to the second, an enable of another version, one before the disable that is
// named, and copies that are closed later are all as they should be.
func TestDestroyedRightly(t *testing.T) {
	rotated, disabled := disabling(t)
	destroyed := destroying(disabled, disabled, 0).Build()
	closing := destroying(destroyed, disabled, time.Hour)
	closing.Events[0].Facts["closes"] = "yes"
	if err := chainOf(t, rotated, disabled, destroyed, closing.Build()); err != nil {
		t.Error(err)
	}
	other := onVersion(disabled, transcript.KindEnable, "")
	other.Events[0].Facts["version"] = "2"
	other.Build()
	if err := chainOf(t, rotated, disabled, other, destroying(other, disabled, 0).Build()); err != nil {
		t.Errorf("another version was enabled: %v", err)
	}
	enabled := onVersion(disabled, transcript.KindEnable, "").Build()
	again := onVersion(enabled, transcript.KindDisable, "wait: 720h0m0s\n").Build()
	if err := chainOf(t, rotated, disabled, enabled, again, destroying(again, again, 0).Build()); err != nil {
		t.Errorf("disabled again: %v", err)
	}
}

// stopped makes a destruction of a rotation, which ends as aborted with the act half done. The notes are facts of noted
// lines after its begun line, in order.
func stopped(notes ...string) func(*draft) {
	return func(d *draft) {
		d.Events[0].Facts["kind"], d.Events[0].Facts["version"] = transcript.KindDestroy, "1"
		tell(transcript.Plan, "approve", "acts", transcript.ActDestroy)(d)
		d.Events = d.Events[:d.Find(transcript.Begun, "switch", "")]
		d.Add(transcript.Begun, transcript.ActDestroy, nil)
		for _, note := range notes {
			d.Add(transcript.Noted, transcript.ActDestroy, transcript.Facts{note: "of version 1"})
		}
		d.Add(transcript.Closed, "", transcript.Facts{"outcome": "aborted", "done": "none", "begun": transcript.ActDestroy})
	}
}

// keptAndThen makes one that M kept, with another line of its act before its end.
func keptAndThen(kind transcript.Kind, facts transcript.Facts) func(*draft) {
	return func(d *draft) {
		keptBy("alice", "dora")(d)
		d.Insert(d.Find(transcript.Closed, "", ""), kind, transcript.ActDestroy, facts)
	}
}

// keptBy makes a destruction that was begun, and that is aborted because these people approved that the key is kept.
func keptBy(signers ...string) func(*draft) {
	return func(d *draft) {
		stopped("attempt")(d)
		closed := d.Events[len(d.Events)-1]
		d.Events = d.Events[:len(d.Events)-1]
		const plan, step = "kekceremony plan v1\nkind: destroy\neffect: 1 keep: version 1; undo: destroy it\n", "approve-keep"
		d.Add(transcript.Plan, step, transcript.Facts{"plan": plan, "sha256": transcript.Digest([]byte(plan)), "acts": ""})
		d.Signed(step, signers...)
		if len(signers) > 1 {
			d.Add(transcript.Gathered, step, transcript.Facts{step + "_signed": strings.Join(signers, ", ")})
		}
		d.Add(transcript.Noted, "keep", transcript.Facts{"kept": "found whole"})
		d.Events = append(d.Events, closed)
	}
}
