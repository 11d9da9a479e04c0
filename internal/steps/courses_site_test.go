package steps_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// course is a store with several ceremonies, run on two consoles by honest people with bad luck.
type course struct {
	t        *testing.T
	random   *rand.Rand
	parts    rehearsal.Parts
	db       store.Store
	consoles [2]string // directories of bundles
	keys     []quorum.Key
	chain    kek.Chain
	spoiled  string    // name of an envelope that no key opens; empty: none
	begun    *ceremony // was opened while somebody signed the end of the one before
	crash    func()    // ends a process of the fleet without a word; nil: it ended
	seen     map[string]int
	nested   atomic.Bool // the other console runs
}

// ceremony is one that people came for.
type ceremony struct {
	kind string
	make engine.Ceremony
	next string // path of a next roster
}

// newCourse is a course before its install.
func newCourse(t *testing.T, seed uint64) *course {
	t.Helper()
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), parts.Store())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := &course{t: t, random: rand.New(rand.NewPCG(seed, 7)), parts: parts, db: db, seen: map[string]int{},
		consoles: [2]string{parts.Bundles(), filepath.Join(parts.Dir, "second")}}
	if err := os.Mkdir(c.consoles[1], 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dora", "erin", "alice-2"} {
		cmd := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", parts.Key(name))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for _, name := range []string{"alice", "bob", "carol", "dora", "erin", "alice-2"} {
		k, err := quorum.OpenKeyFile(t.Context(), parts.Key(name))
		if err != nil {
			t.Fatal(err)
		}
		c.keys = append(c.keys, k)
	}
	return c
}

// one is true once in n times.
func (c *course) one(n int) bool { return c.random.IntN(n) == 0 }

func (c *course) openProvider(context.Context, func(map[string]string) error) (provider.Provider, error) {
	return env.Open(env.Config{SecretsFile: filepath.Join(c.parts.Dir, "secrets.env")}, nil)
}

// site is the parts of one run at a console.
func (c *course) site(console int, tr *trouble) engine.Parts {
	return engine.Parts{Mode: quorum.Rehearsal, Store: &unlucky{c.db, tr, c, console}, Bundles: c.consoles[console],
		Kind: env.Config{}, Keys: c.keys, Tool: testTool,
		OpenProvider: func(ctx context.Context, known func(map[string]string) error) (provider.Provider, error) {
			p, err := c.openProvider(ctx, known)
			return unluckyProvider{p, tr}, err
		},
		Catalogue: envelope.DefaultCatalogue(), Control: rewrap.NewControl(0),
		Fleet: engine.FleetConfig{Heartbeat: 200 * time.Millisecond, Live: 1500 * time.Millisecond}}
}

// lives has an application write records, and starts two processes of its fleet.
func (c *course) lives() {
	c.t.Helper()
	lock, err := c.db.Lock(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	c.chain = lock.Chain
	p, err := c.openProvider(c.t.Context(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer p.Close()
	a := rehearsal.Application{Records: c.db.(rehearsal.Records), Provider: p, Chain: c.chain, Active: 1}
	if err := a.Write(c.t.Context(), 12); err != nil {
		c.t.Fatal(err)
	}
	if c.one(3) {
		place, id := rehearsal.Record(1)
		c.spoiled = place.String() + " " + id
		change(c.t, c.parts, fmt.Sprintf("UPDATE %s SET %s_wrapped_dek = randomblob(60) WHERE id = '%s'",
			place.Collection, place.Path, id))
	}
	c.reports("app")
	c.crash = c.reports("worker")
}

// reports has a process report until the test ends, or it crashes.
func (c *course) reports(role string) (crash func()) {
	c.t.Helper()
	p, err := c.openProvider(c.t.Context(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	crashed := &silenced{Store: c.db}
	ctx, stop := context.WithCancel(context.Background())
	agent := fleet.Member{Store: crashed, Provider: p, Chain: c.chain, Role: role, Every: 200 * time.Millisecond,
		Report: func(string) {}}
	ended := make(chan error, 1)
	go func() { ended <- agent.Run(ctx) }()
	c.t.Cleanup(func() {
		stop()
		<-ended
		p.Close()
	})
	return func() { crashed.now.Store(true) }
}

// draw is a ceremony that may come next.
func (c *course) draw() ceremony {
	c.t.Helper()
	keks, err := c.db.KEKs(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	next := kek.Version(len(keks) + 1)
	switch c.random.IntN(5) {
	case 0:
		return ceremony{kind: transcript.KindGenerate, make: steps.Generate(next)}
	case 1:
		return ceremony{kind: transcript.KindRoster, make: steps.ChangeRoster(), next: c.nextRoster()}
	}
	r := steps.Rotation{To: 1 + kek.Version(c.random.IntN(int(next)))}
	if c.spoiled != "" && (r.To != 1 || c.one(4)) && !c.one(4) { // it stays at version 1
		r.Exclude = []string{c.spoiled}
	}
	return ceremony{kind: transcript.KindRotate, make: steps.Rotate(r)}
}

// roster is the one that the last ceremony left.
func (c *course) roster() quorum.Roster {
	c.t.Helper()
	all, err := c.db.Ceremonies(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	closed, err := history.Closed(c.t.Context(), c.db, all)
	if err != nil {
		c.t.Fatal(err)
	}
	h, err := history.Read(c.t.Context(), c.db, closed)
	if err != nil {
		c.t.Fatal("an honest chain is refused: ", err)
	}
	lock, err := c.db.Lock(c.t.Context())
	if err != nil {
		return rosterOf(c.t, c.parts)
	}
	if len(h.Logs) == 0 {
		return rosterOf(c.t, c.parts)
	}
	r, err := h.Roster(quorum.Rehearsal, lock)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// nextRoster writes a roster in which people come and go, get another key, or become witnesses.
func (c *course) nextRoster() string {
	c.t.Helper()
	now := c.roster()
	var people []string
	operators := 0
	for _, name := range []string{"alice", "bob", "carol", "dora", "erin"} {
		line := ""
		for old := range strings.Lines(string(now.Text)) {
			if strings.HasPrefix(old, name+" ") && !c.one(5) {
				line = old
			}
		}
		if line == "" && (name == "alice" || name == "bob" || c.one(2)) {
			line = c.person(name)
		}
		if line == "" {
			continue
		}
		if strings.Contains(line, quorum.Rehearsal.Namespace(quorum.Approve)) {
			operators++
		}
		people = append(people, line)
	}
	text := fmt.Sprintf("# quorum: %d\n# drawn %d\n", 1+c.random.IntN(min(3, operators)), c.random.IntN(1_000_000)) +
		strings.Join(people, "")
	path := filepath.Join(c.parts.Dir, fmt.Sprintf("next-%d", c.random.IntN(1_000_000)))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// person is a new line of a roster.
func (c *course) person(name string) string {
	purposes, file := quorum.Purposes(), name
	switch {
	case name == "alice" && c.one(2):
		file = "alice-2"
	case name == "erin" && c.one(2):
		purposes = []quorum.Purpose{quorum.Attend, quorum.Final, quorum.Join}
	}
	var spaces []string
	for _, p := range purposes {
		spaces = append(spaces, quorum.Rehearsal.Namespace(p))
	}
	public, err := os.ReadFile(c.parts.Key(file) + ".pub")
	if err != nil {
		c.t.Fatal(err)
	}
	return fmt.Sprintf("%s namespaces=%q %s", name, strings.Join(spaces, ","), public)
}

// trouble is what goes wrong in one run. The zero trouble is none.
type trouble struct {
	consent  int    // signatures until it comes; 0: it does not come to the people
	how      string // leave, stop, broken, other
	write    int    // writes to the store until it comes; 0: not to the store
	after    bool   // the write is done, and its answer is lost
	generate string // before, after; empty: not there
	rewrap   bool
	all      bool // nothing goes wrong, and everybody is there
	stop     context.CancelFunc
}

var (
	errStoreOut = errors.New("the store does not answer")
	errBroken   = errors.New("the line to the console broke")
)

// trouble draws what goes wrong in a run.
func (c *course) trouble() *trouble {
	switch c.random.IntN(8) {
	case 0:
		return &trouble{generate: "before"}
	case 1:
		return &trouble{generate: "after"}
	case 2:
		return &trouble{rewrap: true}
	case 3, 4:
		return &trouble{write: 1 + c.random.IntN(40), after: c.one(2)}
	case 5:
		return &trouble{}
	}
	how := []string{"leave", "stop", "broken", "other"}[c.random.IntN(4)]
	return &trouble{consent: 1 + c.random.IntN(9), how: how}
}

// unlucky is a store that once does not answer.
type unlucky struct {
	store.Store
	tr      *trouble
	c       *course
	console int
}

func (u *unlucky) write(do func() error) error {
	if u.tr.write--; u.tr.write != 0 {
		return do()
	}
	if u.tr.after {
		if err := do(); err != nil {
			return err
		}
	}
	return errStoreOut
}

func (u *unlucky) AppendEntry(ctx context.Context, e store.Entry) error {
	if strings.HasPrefix(e.Name, "final.") && strings.HasSuffix(e.Name, ".txt") && e.Name != transcript.CoreFile {
		u.c.lateFinal(u.console, e.Ceremony)
	}
	return u.write(func() error { return u.Store.AppendEntry(ctx, e) })
}

func (u *unlucky) OpenCeremony(ctx context.Context, o store.Ceremony) error {
	return u.write(func() error { return u.Store.OpenCeremony(ctx, o) })
}

func (u *unlucky) CloseCeremony(ctx context.Context, o store.Ceremony) error {
	return u.write(func() error { return u.Store.CloseCeremony(ctx, o) })
}

func (u *unlucky) InsertKEK(ctx context.Context, k store.KEK) error {
	return u.write(func() error { return u.Store.InsertKEK(ctx, k) })
}

func (u *unlucky) MoveKEK(ctx context.Context, v kek.Version, from, to store.State) error {
	return u.write(func() error { return u.Store.MoveKEK(ctx, v, from, to) })
}

func (u *unlucky) MoveActive(ctx context.Context, from, to store.Active) error {
	return u.write(func() error { return u.Store.MoveActive(ctx, from, to) })
}

func (u *unlucky) InsertLock(ctx context.Context, l store.Lock) error {
	return u.write(func() error { return u.Store.InsertLock(ctx, l) })
}

// lateFinal has the next ceremony begin on the other console while somebody signs the end of
// this one, which enough have signed.
func (c *course) lateFinal(console, seq int) {
	all, err := c.db.Ceremonies(context.Background())
	if err != nil || len(all) != seq || c.begun != nil || c.chain == "" || c.nested.Load() || !c.one(3) {
		return
	}
	if enough, err := history.Finished(context.Background(), c.db, all[seq-1]); err != nil || !enough {
		return
	}
	next := c.draw()
	room := c.room(&trouble{consent: 1, how: "leave"}, next, 1-console)
	err = engine.Run(context.Background(), c.site(1-console, &trouble{}), room, next.make)
	if errors.Is(err, engine.ErrNothingDue) {
		return
	}
	var waiting *engine.WaitingError
	if !errors.As(err, &waiting) {
		c.t.Errorf("the next ceremony: %v", err)
	}
	c.begun = &next
	c.seen["late final"]++
}

// unluckyProvider loses its keys once.
type unluckyProvider struct {
	provider.Provider
	tr *trouble
}

func (p unluckyProvider) Generate(ctx context.Context, n kek.Name) error {
	when := p.tr.generate
	p.tr.generate = ""
	if when == "before" {
		return provider.ErrGone
	}
	err := p.Provider.Generate(ctx, n)
	if err == nil && when == "after" {
		err = provider.ErrGone
	}
	return err
}

func (p unluckyProvider) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	if p.tr.rewrap {
		p.tr.rewrap = false
		return nil, provider.ErrGone
	}
	return p.Provider.Rewrap(ctx, items, to)
}

// crowd is a room where some of the people are.
type crowd struct {
	*engine.Unattended
	c       *course
	tr      *trouble
	of      ceremony
	console int
	absent  map[string]bool
	retried bool
}

func (c *course) room(tr *trouble, of ceremony, console int) *crowd {
	r := &crowd{Unattended: nobody(c.parts), c: c, tr: tr, of: of, console: console, absent: map[string]bool{}}
	r.Answers["next_roster"] = of.next
	for _, name := range []string{"alice", "bob", "carol", "dora", "erin"} {
		r.Answers[engine.AnswerWords+name] = "the clock stood still, Zürich"
	}
	r.Answers[engine.AnswerDeviation+"fell_silent"] = "the host lost its power; bob went to look"
	if c.one(3) {
		r.Answers["differed"] = "three operators / two came / continued with two / alice and bob"
	}
	if !tr.all && c.one(2) {
		for _, name := range []string{"carol", "dora", "erin"} {
			r.absent[name] = c.one(2)
		}
	}
	return r
}

// Choose tries again, once.
func (r *crowd) Choose(ctx context.Context, f engine.Failure) (engine.Choice, error) {
	if f.Deviation == nil && !r.retried && r.c.one(3) {
		r.retried = true
		return engine.Choice{Retry: true}, nil
	}
	return r.Unattended.Choose(ctx, f)
}

func (r *crowd) Consent(ctx context.Context, q engine.Request) (engine.Consent, error) {
	if q.Note != "" {
		r.c.t.Errorf("an honest signature is refused: %s", q.Note)
	}
	if r.tr.consent--; r.tr.consent == 0 {
		switch r.tr.how {
		case "leave":
			return engine.Consent{}, engine.ErrLater
		case "stop":
			r.tr.stop()
			return engine.Consent{}, ctx.Err()
		case "broken":
			return engine.Consent{}, errBroken
		case "other":
			r.c.other(r)
		}
	}
	switches := func(e engine.Effect) bool { return e.Verb == "switch" }
	if q.Purpose == quorum.Approve && slices.ContainsFunc(q.Plan, switches) && r.c.crash != nil && r.c.one(6) {
		r.c.crash()
		r.c.crash = nil
		r.c.seen["a process crashed"]++
	}
	var here []engine.Signer
	for _, s := range q.Signers {
		all := q.Purpose == quorum.Join || r.of.kind == transcript.KindInstall
		if s.Asked && s.Key != "" && !s.Signed && (all || !r.absent[s.Name]) {
			here = append(here, s)
		}
	}
	switch enough := q.Have() >= q.Need; {
	case enough && (len(here) == 0 || r.c.one(2)):
		return engine.Consent{}, engine.ErrEnough
	case len(here) == 0:
		return engine.Consent{}, engine.ErrLater
	}
	s := here[r.c.random.IntN(len(here))]
	word := s.Words[0]
	if i := r.c.random.IntN(len(s.Words)); s.Words[i] != string(transcript.Disagree) {
		word = s.Words[i]
	}
	return engine.Consent{Signer: s.Name, Word: word}, nil
}

// other has the second console continue for a while, as if somebody took this one for dead.
func (c *course) other(r *crowd) {
	c.nested.Store(true)
	defer c.nested.Store(false)
	c.seen["a second console"]++
	tr := &trouble{consent: 1 + c.random.IntN(6), how: "leave"}
	_ = c.checked(1-r.console, r.of, tr, false)
}
