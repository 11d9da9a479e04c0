package main_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// remembered is what an interrupted ceremony has, and must keep when it is finished.
type remembered struct {
	seq     int
	log     []byte        // whole lines on the disk
	entries []store.Entry // in the store
	secrets []byte
}

// remember reads what the last ceremony of a scene has.
func (s scene) remember() remembered {
	s.t.Helper()
	db, ctx := openStore(s.t, s.Parts), s.t.Context()
	all, err := db.Ceremonies(ctx)
	if err != nil || len(all) == 0 {
		s.t.Fatalf("%d ceremonies, %v", len(all), err)
	}
	last := all[len(all)-1]
	r := remembered{seq: last.Seq, secrets: s.read("secrets.env")}
	log := s.read(filepath.Join("transcripts", last.Bundle, "events.jsonl"))
	r.log = log[:bytes.LastIndexByte(log, '\n')+1]
	if r.entries, err = db.Entries(ctx, last.Seq); err != nil {
		s.t.Fatal(err)
	}
	return r
}

// read reads a file of the scene; one that is not there is empty.
func (s scene) read(name string) []byte {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.Dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	return data
}

// keeps demands that the same ceremony continued: every line and final is there with its bytes, every key, one key a
// version, and the approval of every act that had begun.
func (s scene) keeps(before remembered) {
	s.t.Helper()
	after := s.remember()
	if after.seq != before.seq {
		s.t.Errorf("ceremony %d was finished, want %d", after.seq, before.seq)
	}
	if !bytes.HasPrefix(after.log, before.log) {
		s.t.Error("a line of the log is gone")
	}
	for _, e := range before.entries {
		same := func(a store.Entry) bool { return a.Name == e.Name && bytes.Equal(a.Data, e.Data) }
		if !slices.ContainsFunc(after.entries, same) {
			s.t.Errorf("%s is not in the store as it was", e.Name)
		}
	}
	s.keepsKeys(before.secrets, after.secrets)
	s.approvedOnce(before.log, after.log)
}

// keepsKeys demands one key of each version that was not destroyed, and those that were there with their bytes.
func (s scene) keepsKeys(before, after []byte) {
	s.t.Helper()
	keks, err := openStore(s.t, s.Parts).KEKs(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	want := 0
	for _, k := range keks {
		name := []byte(env.Variable(k.Version) + "=")
		if k.State == store.Destroyed {
			if bytes.Contains(after, name) {
				s.t.Errorf("the key of version %d is still there", k.Version)
			}
			continue
		}
		want++
		for line := range bytes.Lines(before) {
			if bytes.HasPrefix(line, name) && !bytes.Contains(after, line) {
				s.t.Errorf("the key of version %d is gone", k.Version)
			}
		}
	}
	if n := bytes.Count(after, []byte("\n")); n != want {
		s.t.Errorf("%d keys of %d versions that are not destroyed", n, want)
	}
}

// reworded are the acts of which the plan reads otherwise than in be36a20: an approval that covers one of them is asked
// again, once.
var reworded = []string{transcript.ActCanary, transcript.ActLock, transcript.ActChange}

// approvedOnce demands that nobody was asked again for the approval of an act that had begun, unless its plan was
// reworded.
func (s scene) approvedOnce(before, after []byte) {
	s.t.Helper()
	events, err := transcript.ParseLog(after)
	if err != nil {
		s.t.Fatal(err)
	}
	n := bytes.Count(before, []byte("\n"))
	again := map[string]int{}
	for _, plan := range events[n:] {
		acts := strings.Fields(plan.Facts["acts"])
		_, begun := transcripttest.Last(events[:n], func(e transcript.Event) bool {
			return e.Kind == transcript.Begun && slices.Contains(acts, e.Step)
		})
		if plan.Kind != transcript.Plan || !begun {
			continue
		}
		again[plan.Step]++
		isReworded := slices.ContainsFunc(acts, func(act string) bool { return slices.Contains(reworded, act) })
		if !isReworded || again[plan.Step] > 1 {
			s.t.Errorf("step %s: the approval of %v is asked again", plan.Step, acts)
		}
	}
}
