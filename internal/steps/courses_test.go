package steps_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/audit"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

var courses = flag.Uint64("courses", 1, "how many random courses TestHonestCourses takes")

// TestHonestCourses: honest people with bad luck run ceremonies of every kind on two consoles:
// they leave, stop and abort them, report deviations, sign late; the store and the token are
// gone in any place; processes crash. No rule is too strict for it: no line is refused, each
// bundle on each console is good or unfinished, the chain is one, the store agrees, and the
// second verifier finds the same.
func TestHonestCourses(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	t.Run("all", func(t *testing.T) {
		for seed := range *courses {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				c := newCourse(t, seed)
				c.runs()
				c.judge(filepath.Join(root, fmt.Sprintf("%04d", seed)))
				t.Logf("%v", c.seen)
			})
		}
	})
	if !t.Failed() {
		pythonAgrees(t, root)
	}
}

// runs runs an install and some ceremonies; the last one may stay unfinished.
func (c *course) runs() {
	c.t.Helper()
	c.through(ceremony{kind: transcript.KindInstall, make: steps.Install()})
	c.lives()
	const most = 5
	for i := range most {
		next := c.draw()
		if c.begun != nil {
			next, c.begun = *c.begun, nil
		}
		if i == most-1 && c.one(2) {
			_ = c.checked(c.random.IntN(2), next, c.trouble(), false)
			return
		}
		c.through(next)
	}
}

// through runs a ceremony until it is finished, done or aborted.
func (c *course) through(of ceremony) {
	c.t.Helper()
	before := c.count()
	if last, done := c.finished(); !done && last > 0 {
		before-- // it was opened already
	}
	const unlucky, most = 7, 12
	aborts := false
	for run := range most {
		tr := &trouble{all: true}
		if run < unlucky {
			tr = c.trouble()
		}
		switch {
		case run == 0 || of.kind == transcript.KindInstall:
		case !aborts:
			aborts = c.one(5)
		case c.one(4) || run >= unlucky: // they want to continue after all
			aborts = false
		}
		err := c.checked(c.random.IntN(2), of, tr, aborts)
		if errors.Is(err, rewrap.ErrUndecryptable) || errors.Is(err, steps.ErrExclude) {
			aborts = true
			err = c.checked(c.random.IntN(2), of, &trouble{all: true}, aborts)
		}
		if errors.Is(err, engine.ErrNothingDue) && c.count() == before {
			return
		}
		if seq, done := c.finished(); done && seq == before+1 || c.begun != nil {
			return
		}
		if run >= unlucky && !errors.Is(err, engine.ErrNoAbort) {
			c.t.Fatalf("ceremony %d, %s: nothing goes wrong any more, and it does not end: %v", before+1, of.kind, err)
		}
	}
	c.t.Fatalf("ceremony %d, %s: no end", before+1, of.kind)
}

func (c *course) count() int {
	c.t.Helper()
	all, err := c.db.Ceremonies(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return len(all)
}

// finished is the number of the last ceremony, and whether M have signed its end.
func (c *course) finished() (seq int, done bool) {
	c.t.Helper()
	all, err := c.db.Ceremonies(c.t.Context())
	if err == nil && len(all) > 0 {
		done, err = history.Finished(c.t.Context(), c.db, all[len(all)-1])
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return len(all), done
}

// checked is one run at a console, after which every bundle is good or unfinished. What it
// returns is no rule's.
func (c *course) checked(console int, of ceremony, tr *trouble, aborts bool) error {
	c.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	tr.stop = stop
	room := c.room(tr, of, console)
	var err error
	if aborts {
		c.seen["abort"]++
		err = engine.Abort(ctx, c.site(console, tr), room, steps.All())
	} else {
		err = engine.Run(ctx, c.site(console, tr), room, of.make)
	}
	for _, refusal := range []error{history.ErrHistory, history.ErrVersions, transcript.ErrWentBack, transcript.ErrForked,
		engine.ErrPlanted} {
		if errors.Is(err, refusal) {
			c.t.Errorf("%s is refused: %v", of.kind, err)
		}
	}
	if transcript.IsBroken(err) {
		c.t.Errorf("%s breaks a rule: %v", of.kind, err)
	}
	for _, dir := range c.consoles {
		list, listErr := filepath.Glob(filepath.Join(dir, "[0-9]*-*[a-z]"))
		if listErr != nil {
			c.t.Fatal(listErr)
		}
		for _, bundle := range list {
			if !history.BundleName.MatchString(filepath.Base(bundle)) { // what is to be signed offline
				continue
			}
			r, bad := transcript.Verify(bundle)
			if c.bare(r, bad) {
				continue
			}
			if bad != nil && !errors.Is(bad, transcript.ErrIncomplete) {
				c.t.Errorf("%s ended with %v, and left a bundle that is bad: %v", of.kind, err, bad)
			}
		}
	}
	return err
}

// bare reports whether a bundle lacks a file that its last line embeds: the run ended between
// the two, and the next one at this console writes it. A verifier finds that bad.
func (c *course) bare(r transcript.Report, err error) bool {
	if !transcript.IsBroken(err) || len(r.Events) == 0 {
		return false
	}
	last := fmt.Sprintf("files: events.jsonl line %d: ", len(r.Events))
	is := strings.HasPrefix(err.Error(), last) && strings.HasSuffix(err.Error(), " is missing")
	if is {
		c.seen["a file of the last line is missing"]++
	}
	return is
}

// judge verifies the chain that the store holds, whose bundles it writes into a directory.
func (c *course) judge(dir string) {
	c.t.Helper()
	all, err := c.db.Ceremonies(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	var reports []transcript.Report
	for i, o := range all {
		entries, err := history.Fence{Log: c.db, Seq: o.Seq}.Entries(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		files, _ := filesOf(c.t, entries)
		bundle := filepath.Join(dir, o.Bundle)
		if err := os.MkdirAll(bundle, 0o700); err != nil {
			c.t.Fatal(err)
		}
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(bundle, name), data, 0o600); err != nil {
				c.t.Fatal(err)
			}
		}
		r, err := transcript.Verify(bundle)
		if err != nil && !(i == len(all)-1 && errors.Is(err, transcript.ErrIncomplete)) {
			c.t.Errorf("%s: %v", o.Bundle, err)
		}
		reports = append(reports, r)
		c.seen[o.Kind+" "+r.Outcome]++
		c.seen["deviation"] += len(r.Deviations)
		c.seen["line"] += len(r.Events)
	}
	if err := transcript.VerifyChain(reports); err != nil && !errors.Is(err, transcript.ErrIncomplete) {
		c.t.Errorf("chain: %v", err)
	}
	if err := audit.Store(c.t.Context(), c.db, reports, true); err != nil && !errors.Is(err, transcript.ErrIncomplete) {
		c.t.Errorf("store: %v", err)
	}
}

// pythonAgrees has the second verifier read all chains at once.
func pythonAgrees(t *testing.T, root string) {
	t.Helper()
	for _, program := range []string{"python3", "ssh-keygen"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip("SKIPPED: ", err)
		}
	}
	chains, err := filepath.Glob(filepath.Join(root, "*"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", append([]string{"../../transcripts/verify.py", "--chain"}, chains...)...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	exit := (*exec.ExitError)(nil)
	if err != nil && (!errors.As(err, &exit) || !slices.Contains([]int{4, 5}, exit.ExitCode())) {
		t.Fatal(err)
	}
	lines := slices.Collect(strings.Lines(string(out)))
	bundles, err := filepath.Glob(filepath.Join(root, "*", "*"))
	if err != nil || len(bundles) == 0 {
		t.Fatal(bundles, err)
	}
	for i, bundle := range bundles {
		if i >= len(lines) {
			t.Fatalf("%d lines of %d bundles", len(lines), len(bundles))
		}
		word := "good"
		r, err := transcript.Verify(bundle)
		if err != nil {
			word = string(transcript.StandingOf(err))
		}
		if !strings.HasPrefix(lines[i], bundle+": "+word) {
			t.Errorf("%s: Go: %s; Python: %s", bundle, word, lines[i])
			for _, e := range r.Events {
				t.Logf("%d %s %s %s", e.Seq+1, e.Kind, e.Step, e.Facts[transcript.FactSigner])
			}
		}
	}
	if len(lines) > len(bundles) {
		t.Errorf("Python finds also: %q", lines[len(bundles):])
	}
	t.Logf("%d bundles of %d chains", len(bundles), len(chains))
}
