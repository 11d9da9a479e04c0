package rewrap

import "testing"

// TestPausedBy: what people see of a pause has the name of who asked for it, until somebody resumes.
func TestPausedBy(t *testing.T) {
	var seen Progress
	r := run{Job: Job{Control: NewControl(0), Report: func(p Progress) { seen = p }}}
	r.Control.Do(Pause, "alice", 0)
	r.Control.Do(Slower, "bob", 10)
	if r.halt(0, Paused, Paused); seen.PausedBy != "alice" {
		t.Errorf("paused by %q", seen.PausedBy)
	}
	r.Control.Do(Resume, "bob", 0)
	if r.halt(0, Waiting+"the fleet", "waiting"); seen.PausedBy != "" {
		t.Errorf("paused by %q", seen.PausedBy)
	}
}
