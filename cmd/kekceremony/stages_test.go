package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// stage is where a ceremony is: its command, and the last line of its log.
type stage struct{ command, bundle, kind, step string }

// stages has commands of a console meet a fault: in each stage of a ceremony one, or one of each kind.
type stages struct {
	parts   rehearsal.Parts
	command string                           // the ceremony's
	kinds   bool                             // of each kind
	only    func(at stage, kind string) bool // which; nil: all
	before  func()                           // each run; nil: nothing

	mu   sync.Mutex
	sent map[stage][]string // kinds of command
	met  map[stage][]string
}

func newStages(parts rehearsal.Parts) *stages {
	return &stages{parts: parts, sent: map[stage][]string{}, met: map[stage][]string{}}
}

// ofLog is the command that keeps a line of the log in the store: each stage begins with one.
const ofLog = "insert kek_events"

// meets is a mongotest.Meets.
func (s *stages) meets(command, collection string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, kind := s.at(), command+" "+collection
	if !slices.Contains(s.sent[at], kind) {
		s.sent[at] = append(s.sent[at], kind)
	}
	switch met := s.met[at]; {
	case s.only != nil && !s.only(at, kind), slices.Contains(met, kind), !s.kinds && (len(met) > 0 || kind == ofLog):
		return false
	}
	s.met[at] = append(s.met[at], kind)
	return true
}

// at is the stage now.
func (s *stages) at() stage {
	bundles, _ := filepath.Glob(filepath.Join(s.parts.Bundles(), "[0-9]*", "events.jsonl"))
	if len(bundles) == 0 {
		return stage{command: s.command}
	}
	newest := bundles[len(bundles)-1]
	data, _ := os.ReadFile(newest)
	all := lines(string(data))
	return all[len(all)-1].stage(s.command, newest)
}

// line is what a line of a log is about.
type line struct{ Kind, Step string }

func (l line) stage(command, log string) stage {
	return stage{command, filepath.Base(filepath.Dir(log)), l.Kind, l.Step}
}

// lines are those of a log that are whole.
func lines(text string) []line {
	all := []line{{}}
	for each := range strings.Lines(text) {
		var l line
		if json.Unmarshal([]byte(each), &l) == nil {
			all = append(all, l)
		}
	}
	return all
}

// through runs a ceremony to its end. Each time before, it says that it is to be run again, and why (nil: it must end
// the first time). Each of its steps that asked the store must have met a fault; through returns them.
func (s *stages) through(t *testing.T, why *regexp.Regexp, args []string) (steps []string) {
	t.Helper()
	s.command = args[0]
	for range 50 {
		if s.before != nil {
			s.before()
		}
		code, _, errs := run(t, args...)
		switch {
		case code == 0:
			return s.everywhere(t)
		case code == 3 && strings.Contains(errs, "the waiting period"): // of a destruction
			continue
		case code != 75 || why == nil || !why.MatchString(errs) || !strings.Contains(errs, "hint: "):
			t.Fatalf("exit %d\n%s", code, errs)
		}
		t.Logf("exit %d\n%s", code, errs)
	}
	t.Fatal("it is never done")
	return nil
}

// everywhere demands that each step of the last ceremony which asked the store met a fault, and returns those steps.
func (s *stages) everywhere(t *testing.T) (steps []string) {
	t.Helper()
	bundles := bundlesOf(t, s.parts)
	log := filepath.Join(bundles[len(bundles)-1], "events.jsonl")
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	all := lines(string(data))
	for i, l := range all[:len(all)-1] {
		at, next := l.stage(s.command, log), all[i+1]
		asked := slices.ContainsFunc(s.sent[at], func(kind string) bool {
			return (s.only == nil && kind != ofLog) || (s.only != nil && s.only(at, kind))
		})
		if asked && len(s.met[at]) == 0 {
			t.Errorf("%s: nothing met in %s, where it sent %v", s.command, next.Step, s.sent[at])
		}
		if asked && !slices.Contains(steps, next.Step) {
			steps = append(steps, next.Step)
		}
	}
	return steps
}
