package steps_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// secondConsole has a run find keys in a file that is a copy of the first one, with version 1 or without it.
func (r running) secondConsole(has bool) func(*engine.Parts) {
	r.t.Helper()
	var text strings.Builder
	for line := range strings.Lines(r.secrets()) {
		if has || !strings.HasPrefix(line, env.Variable(1)+"=") {
			text.WriteString(line)
		}
	}
	if err := os.WriteFile(filepath.Join(r.parts.Dir, "second.env"), []byte(text.String()), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return r.on("second.env", "", false)
}

func (r running) abortOn(change func(*engine.Parts)) error {
	r.t.Helper()
	s := r.site()
	change(s)
	return engine.Abort(r.t.Context(), *s, nobody(r.parts), steps.All())
}

// lost is the deviation that an error asks for, as an answer.
func lost(t *testing.T, err error) (name string) {
	t.Helper()
	var d *engine.DeviationError
	if !errors.As(err, &d) || !errors.Is(err, steps.ErrElsewhere) || !strings.HasSuffix(d.Expected, "secrets.env") {
		t.Fatalf("want a deviation of an attempt elsewhere, got %v", err)
	}
	return "deviation." + d.What
}

// TestDestroyKeepSigned: M approve that a key is kept, and the console dies before it writes so. A second console,
// whose file never had the key, does not find it. It completes nothing.
func TestDestroyKeepSigned(t *testing.T) {
	t.Parallel()
	r := halfDestroyed(t, "key", false)
	second := r.secondConsole(false)
	r.writeLate(1, 4)
	s, d := r.site(), &doom{at: string(store.Disabled), after: true}
	s.Store = doomedStore{s.Store, d}
	if err := engine.Abort(t.Context(), *s, nobody(r.parts), steps.All()); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	if err := r.destroy(second); !errors.Is(err, steps.ErrKeeping) {
		t.Errorf("got %v", err)
	}
	r.stands(1, store.Disabled)
	r.abort()
	if made := r.history().Versions().Made[1]; made.State != store.Disabled || !r.hasKey(1) {
		t.Errorf("the logs say %s; the key is there: %t", made.State, r.hasKey(1))
	}
}

// TestDestroyBegunElsewhere: a destruction was begun, and its console dies before the key is destroyed. A second
// console, whose file never had the key, does not find it: that says nothing. People may say that the first one is
// lost. Then what it has is an open copy, and what needs the version still counts.
func TestDestroyBegunElsewhere(t *testing.T) {
	t.Parallel()
	r := halfDestroyed(t, "key", false)
	second := r.secondConsole(false)
	name := lost(t, r.destroy(second))
	absent := func(s *engine.Parts) {
		second(s)
		s.Fleet.Expect = map[string]int{"batch": 1}
	}
	if err := r.destroy(absent, name, "it burned, ticket 4711"); !errors.Is(err, steps.ErrAbsent) {
		t.Errorf("an expected process may have the key: %v", err)
	}
	r.stands(1, store.Destroying)
	if err := r.destroy(second, name, "it burned, ticket 4711"); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroying)
	open := factsOf(t, bundles(t, r.parts, transcript.KindDestroy)[0])[transcript.FactCopies]
	if !strings.HasSuffix(open, "secrets.env: unreachable") || !r.hasKey(1) {
		t.Errorf("open copies %q; the first console has the key: %t", open, r.hasKey(1))
	}
	if err := r.destroy(nil, "verdicts", open); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroyed)
	if r.hasKey(1) {
		t.Error("the first console still has the key")
	}
	r.whole()
}

// TestDestroyBegunNowhere: a destruction was begun, and its console dies before it was about to destroy the key. A
// second console, whose file never had it, completes nothing.
func TestDestroyBegunNowhere(t *testing.T) {
	t.Parallel()
	r := halfDestroyed(t, "begun", true)
	if err := r.destroy(r.secondConsole(false)); !errors.Is(err, provider.ErrNoKey) {
		t.Errorf("got %v", err)
	}
	r.stands(1, store.Disabled)
	if err := r.destroy(nil); err != nil || r.hasKey(1) {
		t.Errorf("where the key is: %v", err)
	}
	r.stands(1, store.Destroyed)
	r.whole()
}

// TestDestroyKeptAndGone: the provider refuses, which a note says that nobody signs; anyone who can write to the store
// can write one. Then the key is gone. An abort does not say that it was kept.
func TestDestroyKeptAndGone(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	if err := r.destroy(r.on("secrets.env", "0001", true)); !errors.Is(err, provider.ErrKept) {
		t.Fatal(err)
	}
	_ = r.secondConsole(false)
	if err := os.Rename(filepath.Join(r.parts.Dir, "second.env"), filepath.Join(r.parts.Dir, "secrets.env")); err != nil {
		t.Fatal(err)
	}
	if err := r.abortOn(r.on("secrets.env", "0001", false)); !errors.Is(err, engine.ErrNoAbort) {
		t.Errorf("got %v", err)
	}
	if err := r.destroy(r.on("secrets.env", "0001", false)); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroyed)
	r.whole()
}

// TestDestroyCopyIsNotKept: the key is destroyed, and the console dies before it says so. A second console has a copy.
// By it nobody keeps the key, unless M say what became of the first.
func TestDestroyCopyIsNotKept(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	second := r.secondConsole(true)
	d := &doom{at: "key", after: true}
	if err := r.destroy(d.takes()); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	lost(t, r.abortOn(second))
	r.stands(1, store.Destroying)
	lost(t, r.destroy(second))
	if err := r.destroy(nil); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroyed)
	r.whole()
}
