package steps_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/certautopilot/kekceremony/internal/audit"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/signing"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// corrupt is a site where two of three must sign. Alice and bob are honest. Carol's key, the
// store and the console's bundles, with the hidden files beside them, are the attacker's.
type corrupt struct {
	t        *testing.T
	parts    rehearsal.Parts
	keys     []quorum.Key
	db       store.Store
	carol    transcripttest.Person
	founding string // digest that the configuration pins
	paper    string // last final digest, as alice and bob wrote it down
	did      deeds
}

// deeds are what happened: what honest consoles wrote, and what alice and bob signed.
type deeds struct {
	entries    map[string]string // lines and finals, by ceremony and name
	ceremonies map[int]store.Ceremony
	keks       map[kek.Version]store.KEK
	active     kek.Version
	lock       store.Lock
	approved   map[string]map[string]bool // plan digest -> who approved it
	answered   map[string]bool            // questions
}

func (d deeds) clone() deeds {
	d.entries, d.ceremonies, d.keks = maps.Clone(d.entries), maps.Clone(d.ceremonies), maps.Clone(d.keks)
	d.approved, d.answered = maps.Clone(d.approved), maps.Clone(d.answered)
	return d
}

// newCorrupt is the site after an honest install.
func newCorrupt(t *testing.T) *corrupt {
	t.Helper()
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	c := &corrupt{t: t, parts: parts, did: deeds{answered: map[string]bool{}, entries: map[string]string{},
		ceremonies: map[int]store.Ceremony{},
		keks:       map[kek.Version]store.KEK{}, approved: map[string]map[string]bool{}}}
	private, err := os.ReadFile(parts.Key("carol"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	s := site(t, parts)
	c.keys, c.db = s.Keys, s.Store
	c.carol = transcripttest.Person{Name: "carol", Spaces: quorum.Purposes(), Signer: signer}
	if err := c.run(visit{kind: transcript.KindInstall, make: steps.Install(), carol: true}); err != nil {
		t.Fatal(err)
	}
	c.founding = c.paper
	return c
}

// copied is the same site once more, in a directory of its own.
func (c *corrupt) copied(t *testing.T) *corrupt {
	t.Helper()
	d := *c
	d.t, d.did, d.parts = t, c.did.clone(), rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
	copyDir(t, c.parts.Bundles(), d.parts.Bundles())
	for _, name := range []string{"roster", "secrets.env"} {
		data, err := os.ReadFile(filepath.Join(c.parts.Dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(d.parts.Dir, name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	change(t, c.parts, "VACUUM INTO '"+d.parts.Store()+"'")
	db, err := sqlite.Open(t.Context(), d.parts.Store())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d.db = db
	return &d
}

// copyDir copies a directory, whose files nobody else may read.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	err := os.CopyFS(to, os.DirFS(from))
	if err == nil {
		err = filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
			mode := fs.FileMode(0o600)
			if d.IsDir() {
				mode = 0o700
			}
			return errors.Join(err, os.Chmod(path, mode))
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// visit is one run of the honest people.
type visit struct {
	kind  string                    // of the ceremony
	make  engine.Ceremony           // zero: as kind says
	carol bool                      // she is there, and signs like the others
	until func(engine.Request) bool // nobody signs what it holds for
	parts func(*engine.Parts)       // changes the parts of the run
	next  string                    // path of a next roster
	says  map[string]transcript.Verdict
}

var (
	errPaper   = errors.New("the last final digest is not the one on our paper")
	errPlan    = errors.New("this is not the plan that we came for")
	errWarned  = errors.New("the console warns of something; we look at it first")
	errAbort   = errors.New("we did not come to abort it")
	errAnswers = errors.New("this is not what we answered")
)

// honest is a room whose people read the title of the page, and know what they were asked.
type honest struct {
	consenting
	title    *string
	answered map[string]bool
}

// Expect is called for a new ceremony, in which nothing was answered yet.
func (h honest) Expect(kind string, fields []engine.Field) error {
	clear(h.answered)
	return h.consenting.Expect(kind, fields)
}

func (h honest) Ask(ctx context.Context, q engine.Question) (string, error) {
	h.answered[q.Field.Name] = true
	return h.consenting.Ask(ctx, q)
}

func (h honest) Show(v engine.View) {
	*h.title = v.Title
	h.consenting.Show(v)
}

// expected are the verbs of the plans that people come for.
var expected = map[string][]string{
	transcript.KindInstall:  {"generate", "canary", "lock"},
	transcript.KindGenerate: {"generate", "canary"},
	transcript.KindRotate:   {"generate", "canary", "lift", "switch", "re-wrap", "fence", "retire"},
	transcript.KindRoster:   {"text"},
}

// run is a visit. Alice and bob compare what the console shows with their paper, and approve
// no other plan than the one they came for.
func (c *corrupt) run(v visit) error {
	c.t.Helper()
	s := &engine.Parts{Mode: quorum.Rehearsal, Store: witnessed{c.db, c}, Bundles: c.parts.Bundles(), Kind: env.Config{},
		Tool: testTool,
		OpenProvider: func(context.Context, func(map[string]string) error) (provider.Provider, error) {
			p, err := env.Open(env.Config{SecretsFile: filepath.Join(c.parts.Dir, "secrets.env")}, nil)
			return watchedProvider{p, c}, err
		},
		Keys: c.keys, Founding: c.founding, Catalogue: envelope.DefaultCatalogue(), Control: rewrap.NewControl(0)}
	if !v.carol {
		s.Keys = s.Keys[:2]
	}
	if v.parts != nil {
		v.parts(s)
	}
	room := honest{consenting{Unattended: nobody(c.parts)}, new(string), c.did.answered}
	room.Answers["next_roster"] = v.next
	end := ""
	room.consent = func(ctx context.Context, r engine.Request) (engine.Consent, error) {
		wrong := func(e engine.Effect) bool { return !slices.Contains(expected[v.kind], e.Verb) }
		switch {
		case r.Purpose == quorum.Attend && r.Last != c.paper:
			return engine.Consent{}, errPaper
		case r.Purpose == quorum.Approve && slices.ContainsFunc(r.Plan, wrong):
			return engine.Consent{}, errPlan
		case r.Purpose == quorum.Final && *room.title != "Sign the end":
			return engine.Consent{}, errAbort
		case r.Purpose == quorum.Final && r.Warning != "":
			return engine.Consent{}, errWarned
		case slices.ContainsFunc(r.Earlier, func(s signing.Said) bool {
			return !c.did.answered[s.Name] || s.Value != strings.Replace(room.Answers[s.Name], "n/a: ", "not applicable: ", 1)
		}):
			return engine.Consent{}, errAnswers
		case v.until != nil && v.until(r):
			return engine.Consent{}, engine.ErrLater
		case r.Purpose == quorum.Final:
			end = r.Digest
		}
		consent, err := room.Unattended.Consent(ctx, r)
		if word, ok := v.says[consent.Signer]; ok && r.Purpose == quorum.Final {
			consent.Word = string(word)
		}
		if err == nil && r.Purpose == quorum.Approve {
			if c.did.approved[r.Digest] == nil {
				c.did.approved[r.Digest] = map[string]bool{}
			}
			c.did.approved[r.Digest][consent.Signer] = true
		}
		return consent, err
	}
	err := engine.Run(c.t.Context(), *s, room, v.make)
	if err == nil && end != "" {
		c.paper = end
	}
	return err
}

// witnessed is the store of an honest console. It remembers what was written, and demands of
// each act that alice and bob approved the plan that covers it.
type witnessed struct {
	store.Store
	c *corrupt
}

// approved demands that of an act that is about to be done.
func (c *corrupt) approved(s store.Store, act string) {
	c.t.Helper()
	all, err := s.Ceremonies(context.Background())
	if err != nil || len(all) == 0 {
		c.t.Errorf("act %s: %d ceremonies, %v", act, len(all), err)
		return
	}
	state, _, err := history.Fence{Log: s, Seq: all[len(all)-1].Seq}.State(context.Background())
	if err != nil {
		c.t.Errorf("act %s in a log that is bad: %v", act, err)
		return
	}
	r, err := state.Approval(act)
	if by := c.did.approved[r.Event.Facts[transcript.FactSHA256]]; err != nil || !by["alice"] || !by["bob"] {
		c.t.Errorf("act %s, approved by %v: %v", act, by, err)
	}
}

func (w witnessed) AppendEntry(ctx context.Context, e store.Entry) error {
	if _, isLine := transcript.ParseEntryName(e.Name); isLine {
		line, err := transcript.ParseLine(e.Data)
		if err != nil {
			w.c.t.Errorf("the console writes %q: %v", e.Data, err)
		}
		if line.Kind == transcript.Begun || line.Kind == transcript.Done {
			w.c.approved(w.Store, line.Step)
		}
	}
	err := w.Store.AppendEntry(ctx, e)
	if err == nil {
		w.c.did.entries[fmt.Sprintf("%d/%s", e.Ceremony, e.Name)] = string(e.Data)
	}
	return err
}

func (w witnessed) OpenCeremony(ctx context.Context, o store.Ceremony) error {
	err := w.Store.OpenCeremony(ctx, o)
	if err == nil {
		w.c.did.ceremonies[o.Seq] = o
	}
	return err
}

func (w witnessed) CloseCeremony(ctx context.Context, o store.Ceremony) error {
	err := w.Store.CloseCeremony(ctx, o)
	if err == nil {
		was := w.c.did.ceremonies[o.Seq]
		was.Outcome, was.Head, was.Final = o.Outcome, o.Head, o.Final
		w.c.did.ceremonies[o.Seq] = was
	}
	return err
}

func (w witnessed) InsertKEK(ctx context.Context, k store.KEK) error {
	w.c.approved(w.Store, transcript.ActCanary)
	err := w.Store.InsertKEK(ctx, k)
	if err == nil {
		w.c.did.keks[k.Version] = recorded(k)
	}
	return err
}

// recorded is of a version's row what transcripts record.
func recorded(k store.KEK) store.KEK {
	return store.KEK{Version: k.Version, Provider: k.Provider, State: k.State, Label: k.Label, ID: k.ID,
		Canary: store.Canary{SHA256: k.Canary.SHA256}, Ceremony: k.Ceremony}
}

func (w witnessed) MoveKEK(ctx context.Context, v kek.Version, from, to store.State) error {
	w.c.approved(w.Store, transcript.ActRetire)
	err := w.Store.MoveKEK(ctx, v, from, to)
	if err == nil {
		k := w.c.did.keks[v]
		k.State = to
		w.c.did.keks[v] = k
	}
	return err
}

func (w witnessed) MoveActive(ctx context.Context, from, to store.Active) error {
	act := transcript.ActSwitch
	if from.Version == 0 {
		act = transcript.ActCanary
	}
	w.c.approved(w.Store, act)
	err := w.Store.MoveActive(ctx, from, to)
	if err == nil {
		w.c.did.active = to.Version
	}
	return err
}

func (w witnessed) InsertLock(ctx context.Context, l store.Lock) error {
	w.c.approved(w.Store, transcript.ActLock)
	err := w.Store.InsertLock(ctx, l)
	if err == nil {
		w.c.did.lock = l
	}
	return err
}

// watchedProvider generates nothing that was not approved.
type watchedProvider struct {
	provider.Provider
	c *corrupt
}

func (p watchedProvider) Generate(ctx context.Context, n kek.Name) error {
	p.c.approved(p.c.db, transcript.ActGenerate)
	return p.Provider.Generate(ctx, n)
}

// exec is a statement of hers in the store.
func (c *corrupt) exec(query string, args ...any) {
	c.t.Helper()
	db, err := sql.Open("sqlite3", c.parts.Store())
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query, args...); err != nil {
		c.t.Fatal(err)
	}
}

// bundle is the path of a ceremony's bundle; beside is that of a hidden file beside it.
func (c *corrupt) bundle(seq int) string {
	c.t.Helper()
	dirs, err := filepath.Glob(filepath.Join(c.parts.Bundles(), fmt.Sprintf("[0-9]*-%04d-*[a-z]", seq)))
	if err != nil || len(dirs) == 0 {
		c.t.Fatalf("no bundle of ceremony %d, %v", seq, err)
	}
	return dirs[0]
}

func (c *corrupt) beside(seq int, what string) string {
	dir := c.bundle(seq)
	return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+"."+what)
}

// pen writes lines into the store after those of ceremony 2.
func (c *corrupt) pen() *transcripttest.Pen {
	return transcripttest.TakeUp(c.t, history.Fence{Log: c.db, Seq: 2}, c.paper)
}

// sign writes what carol signs of the last request of a step, under somebody's name.
func (c *corrupt) sign(p *transcripttest.Pen, step, name string) {
	c.t.Helper()
	asked, ok := transcripttest.Last(p.Events, func(e transcript.Event) bool {
		return e.Step == step && (e.Kind == transcript.Asked || e.Kind == transcript.Plan)
	})
	if !ok {
		c.t.Fatalf("step %s asked for nothing", step)
	}
	req, err := transcript.RequestOf(p.Events[0], asked)
	if err != nil {
		c.t.Fatal(err)
	}
	m, _ := rosterOf(c.t, c.parts).Member(name)
	text := req.Statement(m)
	p.Add(transcript.Signed, step, transcript.Facts{"signer": name, "key": m.Fingerprint(),
		"namespace": req.Namespace(), "file": req.File(name), "statement": string(text),
		"signature": string(c.carol.Sign(c.t, req.Namespace(), text))})
}

// toDisk puts the lines that the store has of ceremony 2 on the console's disk as well, with
// the files that they embed, and what says that the store accepted them, as if the console
// had written them itself.
func (c *corrupt) toDisk() {
	c.t.Helper()
	c.presents(2, c.draft(2), false)
}

// draft is a ceremony as the store has it, to be changed and built again. All the keys that
// sign again are carol's.
func (c *corrupt) draft(seq int) *transcripttest.Draft {
	c.t.Helper()
	entries, err := history.Fence{Log: c.db, Seq: seq}.Entries(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	d := &transcripttest.Draft{T: c.t, Mode: quorum.Rehearsal, Verdicts: map[string]transcript.Verdict{}}
	for _, name := range rehearsal.Operators {
		d.People = append(d.People, transcripttest.Person{Name: name, Spaces: c.carol.Spaces, Signer: c.carol.Signer})
	}
	d.Files, d.Events = filesOf(c.t, entries)
	d.Prev = d.Events[0].Prev
	return d
}

// filesOf are the files of a bundle, and its lines, by what a store has.
func filesOf(t *testing.T, entries []transcript.Entry) (files map[string][]byte, events transcript.Events) {
	t.Helper()
	files = map[string][]byte{"events.jsonl": nil}
	for _, entry := range entries {
		if _, isLine := transcript.ParseEntryName(entry.Name); !isLine {
			files[entry.Name] = entry.Data
			continue
		}
		e, err := transcript.ParseLine(entry.Data)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
		files["events.jsonl"] = append(files["events.jsonl"], entry.Data...)
		switch e.Kind {
		case transcript.Roster:
			files["roster"] = []byte(e.Facts["roster"])
		case transcript.NextRoster:
			files[fmt.Sprintf("%04d-next-roster", e.Seq)] = []byte(e.Facts["next_roster"])
		case transcript.Plan:
			files[transcript.PlanFile(e.Seq)] = []byte(e.Facts["plan"])
		case transcript.Signed:
			files[e.Facts["file"]] = []byte(e.Facts["statement"])
			files[e.Facts["file"]+".sig"] = []byte(e.Facts["signature"])
		}
	}
	return files, events
}

// keep keeps all signatures of a draft as they are.
func keep(d *transcripttest.Draft) *transcripttest.Draft {
	for _, e := range d.Events {
		if e.Kind == transcript.Signed {
			e.Facts["forge.keep"] = "yes"
		}
	}
	return d
}

// presents puts a draft in the place of a ceremony: in the bundle, in the hidden file that
// says what the store accepted, and, unless only the disk is meant, in the store.
func (c *corrupt) presents(seq int, d *transcripttest.Draft, inStore bool) {
	c.t.Helper()
	dir := c.bundle(seq)
	_, open := os.Stat(c.beside(seq, "answered"))
	if err := os.RemoveAll(dir); err != nil {
		c.t.Fatal(err)
	}
	d.Write(dir)
	var heads bytes.Buffer
	for line := range bytes.Lines(d.Files["events.jsonl"]) {
		fmt.Fprintln(&heads, transcript.Digest(line))
	}
	if open == nil {
		if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".answered"), heads.Bytes(),
			0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	if inStore {
		c.stores(seq, d)
	}
}

// stores puts a draft in the place of a ceremony in the store.
func (c *corrupt) stores(seq int, d *transcripttest.Draft) {
	c.t.Helper()
	c.exec("DELETE FROM kek_events WHERE ceremony = ?", seq)
	i := 0
	for line := range bytes.Lines(d.Files["events.jsonl"]) {
		c.exec("INSERT INTO kek_events VALUES (?, ?, ?)", seq, transcript.EntryName(i), line)
		i++
	}
	for name, data := range d.Files {
		if strings.HasPrefix(name, "final.") {
			c.exec("INSERT INTO kek_events VALUES (?, ?, ?)", seq, name, data)
		}
	}
	last := d.Events[len(d.Events)-1]
	if last.Kind != transcript.Closed {
		return
	}
	c.exec("UPDATE kek_ceremonies SET outcome = ?, head = ?, final = ? WHERE id = ?", last.Facts["outcome"], last.Head(),
		transcript.Digest(d.Files[transcript.CoreFile]), seq)
}

// reports verifies the bundles that she presents, each by itself.
func (c *corrupt) reports() (reports []transcript.Report, found []error) {
	c.t.Helper()
	list, err := os.ReadDir(c.parts.Bundles())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, d := range list {
		dir := filepath.Join(c.parts.Bundles(), d.Name())
		if _, err := os.Lstat(filepath.Join(dir, "events.jsonl")); err != nil && !history.BundleName.MatchString(d.Name()) {
			continue
		}
		r, err := transcript.Verify(dir)
		if reports = append(reports, r); err != nil {
			found = append(found, err)
		}
	}
	return reports, found
}

// audit is what transcript verify --chain --store --expect FOUNDING finds, and who attended
// a ceremony and has no final.
func (c *corrupt) audit(papers ...string) (found []error, without []string) {
	c.t.Helper()
	reports, found := c.reports()
	if err := transcript.VerifyChain(reports); err != nil {
		found = append(found, err)
	}
	for _, paper := range append(papers, c.founding) {
		if err := transcript.Expect(reports, paper); err != nil {
			found = append(found, err)
		}
	}
	if err := audit.Store(c.t.Context(), c.db, reports, true); err != nil {
		found = append(found, err)
	}
	var logs []transcript.State
	for _, r := range reports {
		logs = append(logs, r.State)
	}
	if n := len(logs); n > 0 && logs[n-1].Outcome != "" {
		census, err := audit.CensusOf(c.t.Context(), c.db, envelope.DefaultCatalogue(), logs)
		if err == nil && census.Due > 0 {
			err = errors.New(census.String())
		}
		if err != nil {
			found = append(found, err)
		}
	}
	for _, r := range reports {
		without = append(without, r.WithoutFinal()...)
	}
	return found, without
}

// lies lists what she presents and did not happen; gone, what happened and is not there.
func (c *corrupt) lies() (lies, gone []string) {
	c.t.Helper()
	s := c.db
	all, err := s.Ceremonies(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	inStore, inBundles := map[string]string{}, map[string]string{}
	for _, o := range all {
		if o != c.did.ceremonies[o.Seq] {
			lies = append(lies, fmt.Sprintf("ceremony %d", o.Seq))
		}
		entries, err := s.Entries(c.t.Context(), o.Seq)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, e := range entries {
			inStore[fmt.Sprintf("%d/%s", e.Ceremony, e.Name)] = string(e.Data)
		}
	}
	reports, _ := c.reports()
	for _, r := range reports {
		seq := r.Opened()[transcript.FactCeremony]
		for _, e := range r.Events {
			if line, err := e.Line(); err == nil {
				inBundles[seq+"/"+transcript.EntryName(e.Seq)] = string(line)
			}
		}
		files, err := filepath.Glob(filepath.Join(c.parts.Bundles(), r.Bundle.Name, "final.*"))
		if err != nil {
			c.t.Fatal(err)
		}
		for _, path := range files {
			data, err := os.ReadFile(path)
			if err != nil {
				c.t.Fatal(err)
			}
			inBundles[seq+"/"+filepath.Base(path)] = string(data)
		}
	}
	for where, have := range map[string]map[string]string{"store": inStore, "bundles": inBundles} {
		l, g := differences(c.did.entries, have)
		for _, name := range l {
			lies = append(lies, where+" "+name)
		}
		for _, name := range g {
			gone = append(gone, where+" "+name)
		}
	}
	return append(lies, c.liesOfKeys(s)...), gone
}

// differences are the names in have that are not so in happened, and those that it lacks.
func differences(happened, have map[string]string) (lies, gone []string) {
	for name, data := range have {
		if happened[name] != data {
			lies = append(lies, name)
		}
	}
	for name := range happened {
		if _, ok := have[name]; !ok {
			gone = append(gone, name)
		}
	}
	return lies, gone
}

// liesOfKeys are those of the lock, the versions and the pointer.
func (c *corrupt) liesOfKeys(s store.Store) (lies []string) {
	lock, err := s.Lock(c.t.Context())
	if err != nil || lock != c.did.lock {
		lies = append(lies, "the lock")
	}
	active, err := s.Active(c.t.Context())
	if err != nil || active.Version != c.did.active {
		lies = append(lies, "the pointer")
	}
	keks, err := s.KEKs(c.t.Context())
	same := err == nil && len(keks) == len(c.did.keks)
	for _, k := range keks {
		same = same && fmt.Sprint(recorded(k)) == fmt.Sprint(c.did.keks[k.Version])
	}
	if !same {
		lies = append(lies, "the versions")
	}
	return lies
}
