package render_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/render"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

var update = flag.Bool("update", false, "write the stories and pages of testdata again")

const specimens = "../../../transcripts"

// TestStories compares the story and the page of the bundles that testdata names, each in a form that
// a reviewer reads. -update writes them again.
func TestStories(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) < 4 {
		t.Fatalf("%d, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			golden, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			bundle := strings.TrimSpace(string(golden.Files[0].Data))
			r, bad := reported(t, bundle)
			for i := range golden.Files[1:] {
				f := &golden.Files[i+1]
				now := drawn(t, f.Name, r, bad)
				if !*update && !bytes.Equal(now, f.Data) {
					t.Errorf("%s is now\n%s\nand was\n%s", f.Name, now, f.Data)
				}
				f.Data = now
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(golden), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// reported verifies a specimen, or a draft that a test makes.
func reported(t *testing.T, bundle string) (transcript.Report, error) {
	if bundle == "in their own words" {
		return transcript.Verify(inOwnWords(t).Build().Write(filepath.Join(t.TempDir(), "bundle")))
	}
	return transcript.Verify(filepath.Join(specimens, bundle))
}

// inOwnWords is a rotation whose people write German, Greek, Turkish and Japanese, and one of whom
// is hostile.
func inOwnWords(t *testing.T) *transcripttest.Draft {
	d := transcripttest.Rotation(t)
	place := d.Events[d.Find(transcript.Answered, "place", "")].Facts
	for name, text := range map[string]string{
		"place": "Tresorraum 3, Zürich", "authorised": "Ελένη Παπαδοπούλου, ticket 4711",
		"bags": "100200, Işıl Çağlar", "evidence": "東京タワー、金庫の中",
		"people": hostile[0] + " \u202eevil",
	} {
		place[name] = printable.Text(text)
	}
	d.Verdicts["bob"], d.Verdicts["dora"] = transcript.Deviations, transcript.Disagree
	d.Words = map[string]string{"bob": printable.Text("die Uhr in Zürich stand"),
		"dora": printable.Text(hostile[0] + "\x1b[2J \u202eevil")}
	d.Events[0].Facts[transcript.FactFrom], d.Events[0].Facts[transcript.FactTo] = "1", "2"
	at := time.Date(2026, 11, 24, 8, 55, 0, 0, time.UTC)
	for i := range d.Events {
		at = at.Add(time.Duration(40+i*i*5) * time.Second)
		d.Events[i].Time = at.Format(time.RFC3339)
	}
	return d
}

func drawn(t *testing.T, form string, r transcript.Report, bad error) []byte {
	switch form {
	case "story":
		return []byte(render.Text(r, bad))
	case "md", "html":
		return render.Formats()[form](render.Report(r, bad))
	}
	t.Fatalf("no form %q", form)
	return nil
}

// TestStoryIsWhole: of each specimen, also of a bad one, every line of the log is told, in order, and
// no line of the story is wider than a serial console.
func TestStoryIsWhole(t *testing.T) {
	bundles, err := filepath.Glob(specimens + "/*/*/events.jsonl")
	if err != nil || len(bundles) < 100 {
		t.Fatalf("%d, %v", len(bundles), err)
	}
	for _, path := range bundles {
		r, bad := transcript.Verify(filepath.Dir(path))
		next := 0
		for _, p := range render.Story(r) {
			if p.Lines[0] != next || p.Lines[1] < p.Lines[0] || p.Text == "" {
				t.Errorf("%s: lines %v come after line %d: %s", path, p.Lines, next-1, p.Text)
			}
			next = p.Lines[1] + 1
		}
		if next != len(r.Events) {
			t.Errorf("%s: %d of %d lines are told", path, next, len(r.Events))
		}
		for line := range strings.SplitSeq(render.Text(r, bad), "\n") {
			if n := printable.Width(line); n > 79 || strings.ContainsFunc(line, unicode.IsControl) {
				t.Errorf("%s: a line of %d columns: %q", path, n, line)
			}
		}
	}
}

// TestStoryOfTheUnknown: a ceremony, a step, an act and a fact of which the program has no words are
// told all the same.
func TestStoryOfTheUnknown(t *testing.T) {
	event := func(seq int, kind transcript.Kind, step string, facts transcript.Facts) transcript.Event {
		return transcript.Event{Seq: seq, Time: "2026-11-26T05:35:43Z", Kind: kind, Step: step, Facts: facts}
	}
	r := transcript.Report{Events: transcript.Events{
		event(0, transcript.Opened, "", transcript.Facts{transcript.FactKind: "melt", transcript.FactVersion: "7"}),
		event(1, transcript.Answered, "why", transcript.Facts{"new_fact": "because"}),
		event(2, transcript.Found, "heat", transcript.Facts{"degrees": "1500"}),
		event(3, transcript.Begun, "melt", nil),
		event(4, transcript.Failed, "melt", transcript.Facts{transcript.FactError: "it is cold"}),
		event(5, transcript.Begun, "melt", nil),
		event(6, transcript.Done, "melt", transcript.Facts{"melted": "yes"}),
	}}
	text := render.Text(r, nil)
	for _, want := range []string{
		"Run the ceremony melt of version 7", "People answered: why.", "new fact: because", "Found: heat.",
		"degrees: 1500", "The program began to melt.", "! 05:35:43  Failed: melt: it is cold", "Done: melt.", "melted: yes",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q:\n%s", want, text)
		}
	}
}

// TestAnsweredAgain: answers that replace others say so, in the story and on the console's log, and so do
// answers that were given again. Of the end it is said that signatures still follow.
func TestAnsweredAgain(t *testing.T) {
	place := func(seq int, where string) transcript.Event {
		return transcript.Event{Seq: seq, Time: "2026-11-26T05:35:43Z", Kind: transcript.Answered, Step: "place",
			Facts: transcript.Facts{"place": where}}
	}
	r := transcript.Report{Events: transcript.Events{place(0, "Vault 3"), place(1, "Vault 4"), place(2, "Vault 4"),
		{Seq: 3, Kind: transcript.Closed, Facts: transcript.Facts{transcript.FactOutcome: transcript.OutcomeDone}}}}
	story := render.Story(r)
	for i, want := range []string{
		"People recorded place and people.",
		"Again: people recorded place and people. These answers replace those of line 0.",
		"Again, with the same answers as in line 1: people recorded place and people.",
		"The ceremony was recorded as done. The log ends here; only signatures of the end follow.",
	} {
		if got := render.Sentence(r, i); got != want || story[i].Text != want {
			t.Errorf("line %d: %q and %q, want %q", i, got, story[i].Text, want)
		}
	}
}

// TestKnownWords: each ceremony and act that a transcript may have has words of its own.
func TestKnownWords(t *testing.T) {
	for _, kind := range []string{transcript.KindInstall, transcript.KindAdopt, transcript.KindRotate,
		transcript.KindGenerate, transcript.KindRoster, transcript.KindReconcile, transcript.KindDisable,
		transcript.KindEnable, transcript.KindDestroy, transcript.KindCompromise} {
		opened := transcript.Facts{transcript.FactKind: kind}
		r := transcript.Report{Events: transcript.Events{{Kind: transcript.Opened, Facts: opened}}}
		for _, act := range transcript.Required(opened) {
			r.Events = append(r.Events, transcript.Event{Seq: len(r.Events), Kind: transcript.Done, Step: act})
		}
		for _, p := range render.Story(r) {
			if strings.Contains(p.Text, "Run the ceremony") || strings.Contains(p.Text, "Done:") {
				t.Errorf("%s: %s", kind, p.Text)
			}
		}
	}
}

// TestSentences: what is told of one line is no more than what happened. A key of a configuration is removed, which is
// less than destroyed; a re-wrap that was stopped is told as such, also after people throttled it.
func TestSentences(t *testing.T) {
	opened := func(onToken string) transcript.Event {
		return transcript.Event{Kind: transcript.Opened, Facts: transcript.Facts{transcript.FactKind: transcript.KindDestroy,
			transcript.FactVersion: "1", transcript.FactOnToken: onToken}}
	}
	destroy := func(kind transcript.Kind) transcript.Event {
		return transcript.Event{Kind: kind, Step: transcript.ActDestroy}
	}
	rewrap := func(facts transcript.Facts) transcript.Event {
		return transcript.Event{Kind: transcript.Noted, Step: transcript.ActRewrap, Facts: facts}
	}
	for _, c := range []struct {
		events transcript.Events
		want   string
	}{
		{transcript.Events{opened("yes"), destroy(transcript.Done)}, "The key of version 1 was destroyed."},
		{transcript.Events{opened("no"), destroy(transcript.Done)},
			"The key of version 1 was removed from the configuration here."},
		{transcript.Events{opened("no"), destroy(transcript.Begun)},
			"The program began to remove the key of version 1 from the configuration here."},
		{transcript.Events{opened("yes"), rewrap(transcript.Facts{"control": "pause", "by": "bob"}),
			rewrap(transcript.Facts{transcript.FactRewraps: "265"})}, "The re-wrap ended before every DEK was re-wrapped."},
	} {
		if got := render.Sentence(transcript.Report{Events: c.events}, len(c.events)-1); got != c.want {
			t.Errorf("%s\nand not\n%s", got, c.want)
		}
	}
}
