package steps_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// testWait is the waiting period of these tests: transcripts have whole seconds.
const testWait = time.Millisecond

// disabled is a running site whose version 1 is disabled, for a waiting period.
func disabled(t *testing.T, wait time.Duration) running {
	t.Helper()
	r := rotated(t, 3)
	s := r.site()
	s.Policy.DestroyWait = wait
	if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Disable(1)); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r running) destroy(change func(*engine.Parts), answers ...string) error {
	r.t.Helper()
	s, room := r.site(), nobody(r.parts)
	if change != nil {
		change(s)
	}
	for i := 0; i+1 < len(answers); i += 2 {
		room.Answers[answers[i]] = answers[i+1]
	}
	return engine.Run(r.t.Context(), *s, room, steps.Destroy(1))
}

// secrets is the text of the file of keys.
func (r running) secrets() string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.parts.Dir, "secrets.env"))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

func (r running) hasKey(v kek.Version) bool {
	return strings.Contains(r.secrets(), env.Variable(v)+"=")
}

// TestDestroy: a version that was disabled is destroyed when its waiting period is over. Everything
// else opens, and nothing is done to the version any more.
func TestDestroy(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	if err := r.destroy(nil); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroyed)
	if r.hasKey(1) || !r.hasKey(2) {
		t.Errorf("the file has version 1: %t, version 2: %t", r.hasKey(1), r.hasKey(2))
	}
	report, err := transcript.Verify(bundles(t, r.parts, transcript.KindDestroy)[0])
	if err != nil || !strings.Contains(report.Facts["searched"], env.Variable(1)+": 0; ") {
		t.Errorf("searched: %s, %v", report.Facts["searched"], err)
	}
	if made := r.history().Versions().Made[1]; made.State != store.Destroyed {
		t.Errorf("the logs say %s", made.State)
	}
	if err := r.destroy(nil); !errors.Is(err, engine.ErrNothingDue) {
		t.Errorf("again: %v", err)
	}
	if err := r.enable(1, nobody(r.parts)); !errors.Is(err, steps.ErrDestroyed) {
		t.Errorf("enable: %v", err)
	}
	if err := r.to(1, nobody(r.parts)); err == nil {
		t.Error("a rotation to it was run")
	}
	if err := r.to(3, nobody(r.parts)); err != nil {
		t.Errorf("the next rotation: %v", err)
	}
	r.whole()
}

// later is a store whose clock is set.
type later struct {
	store.Store
	by time.Duration
}

func (l later) Now(ctx context.Context) (time.Time, error) {
	now, err := l.Store.Now(ctx)
	return now.Add(l.by), err
}

// TestDestroyRefused: each refusal is before the first line of a ceremony, and changes nothing.
func TestDestroyRefused(t *testing.T) {
	t.Parallel()
	r := disabled(t, time.Hour)
	clock := func(by time.Duration) func(*engine.Parts) {
		return func(s *engine.Parts) { s.Store = later{s.Store, by} }
	}
	for _, c := range []struct {
		name   string
		change func(*engine.Parts)
		want   error
		says   string
	}{
		{"too early", nil, steps.ErrWaiting, "wait until "},
		{"a configuration of now", func(s *engine.Parts) { s.Policy.DestroyWait = testWait }, steps.ErrWaiting, "console's"},
		{"the store's clock is set ahead", clock(2 * time.Hour), steps.ErrWaiting, "the console's"},
	} {
		if err := r.destroy(c.change); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	r.untouched()
}

// untouched demands that version 1 is disabled as it was, and no destruction was begun.
func (r running) untouched() {
	r.t.Helper()
	r.stands(1, store.Disabled)
	if dirs := bundles(r.t, r.parts, transcript.KindDestroy); len(dirs) > 0 || !r.hasKey(1) {
		r.t.Errorf("bundles %v; the key is there: %t", dirs, r.hasKey(1))
	}
}

// TestDestroyNeeded: what needs the version stops its destruction.
func TestDestroyNeeded(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	for _, c := range []struct {
		name   string
		change func(*engine.Parts)
		want   error
		says   string
	}{
		{"a place left the catalogue", func(s *engine.Parts) { s.Catalogue = s.Catalogue[1:] }, steps.ErrCatalogue,
			envelope.DefaultCatalogue()[0].String()},
		{"nobody is there", func(s *engine.Parts) { s.Fleet.Expect = map[string]int{"batch": 1} }, steps.ErrAbsent,
			"0 of 1 batch"},
		{"the store's clock is set back", func(s *engine.Parts) { s.Store = later{s.Store, -time.Hour} }, steps.ErrClocks,
			"the last ceremony ended"},
		{"the clocks are apart", func(s *engine.Parts) { s.Store = later{s.Store, time.Hour} }, steps.ErrClocks, "apart"},
		{"an older row", func(s *engine.Parts) {
			change(t, r.parts, "UPDATE kek_versions SET state = 'retired' WHERE id = 1")
		}, history.ErrVersions, "was disabled, is retired"},
	} {
		if err := r.destroy(c.change); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	change(t, r.parts, "UPDATE kek_versions SET state = 'disabled' WHERE id = 1")
	r.untouched()
	r.writeLate(1, 5) // a writer that slept
	if err := r.destroy(nil); !errors.Is(err, steps.ErrNeeded) || !strings.Contains(err.Error(), "(1)") {
		t.Errorf("an envelope is at it: %v", err)
	}
	r.untouched()
}

// TestDestroyNotDisabled: a version that is in use, in any way, is never destroyed.
func TestDestroyNotDisabled(t *testing.T) {
	t.Parallel()
	r := rotated(t, 3)
	r.generate(3)
	for v, says := range map[kek.Version]string{1: "is retired", 2: "is active", 3: "is live"} {
		err := engine.Run(t.Context(), *r.site(), nobody(r.parts), steps.Destroy(v))
		if !errors.Is(err, steps.ErrNotDisabled) || !strings.Contains(err.Error(), says) {
			t.Errorf("version %d: got %v", v, err)
		}
	}
	err := engine.Run(t.Context(), *r.site(), nobody(r.parts), steps.Destroy(9))
	if !errors.Is(err, steps.ErrNoSuchVersion) {
		t.Errorf("version 9: got %v", err)
	}
}
