package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// TestWizard runs a whole rehearsal in an 80x24 terminal with typed keys, while
// an application reads random payloads.
func TestWizard(t *testing.T) {
	t.Parallel()
	pkcs11test.Module(t)
	parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
	p := newPane(t, fmt.Sprintf("stty -g; %s rehearse --only install,rotate --dir %s --provider pkcs11 --records 10000 "+
		"--rate 400; echo EXIT $?; stty -g; echo LOOKED; cat", binary, parts.Dir))
	recorded := p.record()
	install(p)
	last := p.enter("enter next ceremony", "")
	attend(p, "alice", "bob")
	p.fill("place")
	p.enter("PIN of token", rehearsal.PIN)
	p.read("AES-256 generated")
	sign(p, "2", "alice", "bob")
	p.read("label of the key", "id of the key")
	p.read("canary 2 sha256", "version 2, live")
	p.enter("Where else", "")
	p.enter("Planned end", "")
	p.read("has 2, writes 1")
	plan := p.until("re-wrap   every DEK of 6 fields to version 2, about 10,000")
	sign(p, "2", "alice", "bob")
	p.read("Switch the writers", "active version  2")

	p.until("p pause")
	reader := newReader(t, parts)
	p.tmux("send-keys", "p")
	p.until("pause: who asks?  1 alice")
	p.tmux("send-keys", "1")
	p.until("state      paused")
	p.deviation("x", "no pause", "a pause", "to wait", "alice and bob") // at once, though nothing moves
	p.until("state      paused")
	reader.more(500) // at both versions
	p.tmux("send-keys", "p")
	p.until("resume: who asks?  1 alice")
	p.tmux("send-keys", "2")
	p.until("state      running")
	estimate := p.until("near ")
	if !regexp.MustCompile(`ETA  \d\d:\d\d, near \d\d:\d\d:\d\d`).MatchString(estimate) {
		t.Errorf("no ETA:\n%s", estimate)
	}
	p.until("count 1")
	reader.more(500)
	versions := reader.stop()
	p.fillReported()
	sign(p, "followed", "alice", "bob")
	end := p.enter("enter close", "")
	p.until("EXIT 0")
	screens := recorded()

	if versions[1] == 0 || versions[2] == 0 || versions[1]+versions[2] < 1000 {
		t.Errorf("the reads met versions %v", versions)
	}
	bundles := bundlesOf(t, parts)
	onScreen(t, last, sum(t, filepath.Join(bundles[0], "final.txt")))
	onScreen(t, end, sum(t, filepath.Join(bundles[1], "final.txt")))
	onScreen(t, plan, event(t, bundles[1], "plan", "approve")["sha256"])
	if n := event(t, bundles[1], "done", "re-wrap")["rewrapped"]; n != "10000" ||
		!strings.Contains(end, printable.Counted(n)+" envelopes re-wrapped") {
		t.Errorf("re-wrapped %s:\n%s", n, end)
	}
	if asked := event(t, bundles[1], "noted", "re-wrap"); asked["control"] != "resume" || asked["by"] != "bob" ||
		asked["limit"] != "400" {
		t.Errorf("what was asked for at the console: %v", asked)
	}
	if d := event(t, bundles[1], "deviation", "re-wrap"); d["seen"] != "a pause" {
		t.Errorf("the deviation during the re-wrap: %v", d)
	}
	for i, b := range bundles {
		must(t, "transcript", "verify", b)
		inTheLog(t, screens, []string{"install", "rotate"}[i], b,
			b, sum(t, filepath.Join(b, "final.txt")), sum(t, filepath.Join(bundles[0], "final.txt")),
			fingerprints(t, parts), "400")
	}
	zeroAt(t, parts, 2)
	p.sameState()
}

// install types what install asks.
func install(p *pane) {
	p.enter("Path of the roster", "")
	attend(p, rehearsal.Operators...)
	p.fill("place")
	p.enter("Provider to lock", "")
	p.enter("PIN of token", rehearsal.PIN)
	p.read("round trip")
	sign(p, "1", "alice", "bob")
	p.read("label of the key", "id of the key")
	p.read("canary 1 sha256", "version 1, live and active")
	p.enter("Where else", "")
	p.enter("Planned end", "")
	p.read("store locked to")
	p.fill("leaving")
	sign(p, "followed", rehearsal.Operators...)
}

// read turns a page that holds what was found, and shows it. What is long is read on with Enter.
func (p *pane) read(shows ...string) {
	p.t.Helper()
	pages, last := "", ""
	if !await(func() bool {
		page := p.screen()
		if pages += page; strings.Contains(page, text.ReadOn) && page != last {
			last = page
			p.tmux("send-keys", "Enter")
		}
		return strings.Contains(page, text.Read)
	}) {
		p.t.Fatalf("no page holds what was found:\n%s", p.screen())
	}
	for _, what := range shows {
		if !strings.Contains(pages, what) {
			p.t.Errorf("no page holds %q:\n%s", what, p.screen())
		}
	}
	p.tmux("send-keys", "Enter")
	if !await(func() bool { return !strings.Contains(p.screen(), text.Read) }) {
		p.t.Fatal("the page stays")
	}
}

// attend has people sign with their names, and ends the page.
func attend(p *pane, names ...string) {
	for _, name := range names {
		p.enter(name+": type "+name, name)
	}
	p.enter(fmt.Sprintf("Signed %d, needed", len(names)), "")
}

// sign has people sign with one word, and ends the page.
func sign(p *pane, word string, names ...string) {
	for _, name := range names {
		p.enter(name+": type "+word, word)
	}
	p.enter(fmt.Sprintf("Signed %d, needed", len(names)), "")
}

// reader decrypts random payloads until it is stopped.
type reader struct {
	t       *testing.T
	a       rehearsal.Application
	cancel  context.CancelFunc
	running sync.WaitGroup
	reads   atomic.Int64
	met     map[kek.Version]int // how often
}

func newReader(t *testing.T, parts rehearsal.Parts) *reader {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{t: t, a: application(t, parts), cancel: cancel, met: map[kek.Version]int{}}
	r.running.Go(func() { r.read(ctx) })
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *reader) read(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ; ctx.Err() == nil; <-tick.C {
		v, err := r.a.Read(context.WithoutCancel(ctx), rand.IntN(10000))
		if err != nil {
			r.t.Errorf("read %d: %v", r.reads.Load(), err)
			return
		}
		r.reads.Add(1)
		r.met[v]++
	}
}

// more waits until it has read so many more.
func (r *reader) more(n int64) {
	r.t.Helper()
	until := r.reads.Load() + n
	if !await(func() bool { return r.reads.Load() >= until || r.t.Failed() }) {
		r.t.Errorf("%d reads, want %d", r.reads.Load(), until)
	}
}

func (r *reader) stop() map[kek.Version]int {
	r.cancel()
	r.running.Wait()
	return r.met
}

// onScreen looks for a digest in its groups (D04: it is that of the file on disk).
func onScreen(t *testing.T, screen, digest string) {
	t.Helper()
	plain := strings.NewReplacer(" ", "", "\n", "").Replace(screen)
	if len(digest) != 64 || !strings.Contains(plain, digest[:32]) || !strings.Contains(plain, digest[32:]) {
		t.Errorf("digest %s is not on the screen:\n%s", digest, screen)
	}
}

// event returns the facts of the last event of a kind and step.
func event(t *testing.T, bundle, kind, step string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(bundle, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var facts map[string]string
	for line := range strings.Lines(string(data)) {
		var e struct {
			Kind, Step string
			Facts      map[string]string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Kind == kind && e.Step == step {
			facts = e.Facts
		}
	}
	return facts
}

// TestKilledInRewrap kills the wizard's process in mid-re-wrap; the same command
// continues and ends at census zero.
func TestKilledInRewrap(t *testing.T) {
	t.Parallel()
	pkcs11test.Module(t)
	parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
	args := []string{"rehearse", "--only", "install,rotate", "--ui", "none", "--dir", parts.Dir, "--provider", "pkcs11",
		"--records", "2000", "--rate", "200"}
	cmd := program(t, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitBegun(t, parts)
	pkcs11test.Run(t, "pkill", "-9", "-f", "rotate --to-version 2 .*"+parts.Dir)
	if err := cmd.Wait(); err == nil {
		t.Fatal("the rehearsal did not notice")
	}
	must(t, args...)
	bundles := bundlesOf(t, parts)
	must(t, append([]string{"transcript", "verify"}, bundles...)...)
	zeroAt(t, parts, 2)
	if event(t, bundles[1], "resumed", "") == nil {
		t.Error("nothing says that it was resumed")
	}
}

// awaitBegun waits until some, but not all, envelopes are at version 2.
func awaitBegun(t *testing.T, parts rehearsal.Parts) {
	t.Helper()
	begun := func() bool {
		db, err := sqlite.Open(t.Context(), parts.Store())
		if err != nil {
			return false // not there yet
		}
		defer db.Close()
		counts, err := db.Census(t.Context(), envelope.DefaultCatalogue())
		return err == nil && slices.ContainsFunc(counts, func(c store.Count) bool { return c.Version == 2 && c.N > 0 })
	}
	if !await(begun) {
		t.Fatal("the re-wrap never began")
	}
}
