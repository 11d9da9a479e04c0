package transcripttest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Draft is a bundle in the making: its events may be changed in any way before Build
// chains and signs them, and its files after.
//
// Facts of a signed event whose names begin with "forge." steer its signature and are
// left out: forge.by, the name of whose key signs; forge.namespace; forge.statement;
// forge.keep, the event stays as it is.
type Draft struct {
	T        testing.TB
	Mode     quorum.Mode
	People   []Person
	Prev     string
	Events   transcript.Events
	Verdicts map[string]transcript.Verdict // default: followed
	Words    map[string]string             // beside them, by name
	Files    map[string][]byte
	Refused  bool // ParseRoster may refuse the roster; people sign all the same
}

// Rotation is a good little ceremony: alice, bob and dora, who has a FIDO key, are
// operators, wendy is a witness, and two must sign.
func Rotation(t testing.TB) *Draft {
	d := &Draft{T: t, Mode: quorum.Production, Prev: transcript.NoDigest, Verdicts: map[string]transcript.Verdict{},
		People: []Person{Operator(t, "alice"), Operator(t, "bob"), Touching(t, "dora"), Witness(t, "wendy")}}
	roster := RosterOf(2, d.Mode, d.People...)
	plan := "kekceremony plan v1\nkind: rotate\neffect: 1 switch: writers to version 2; undo: switch back\n"
	d.Add(transcript.Opened, "", transcript.Facts{
		"format":   "kekceremony transcript v1",
		"chain":    "0123456789abcdef0123456789abcdef",
		"ceremony": "1",
		"kind":     "rotate",
		"mode":     string(d.Mode),
		"tool":     "test",
		"store":    "a test",
	})
	d.Add(transcript.Roster, "roster",
		transcript.Facts{"roster": roster, "roster_sha256": transcript.Digest([]byte(roster))})
	d.Add(transcript.Asked, "attend", transcript.Facts{
		"last_final":  transcript.NoDigest,
		"nonce.alice": "a1",
		"nonce.bob":   "b1",
		"nonce.dora":  "d1",
		"nonce.wendy": "e1",
	})
	d.Signed("attend", "alice", "bob", "dora", "wendy")
	d.Add(transcript.Gathered, "attend", transcript.Facts{"attended": "alice, bob, dora, wendy"})
	d.Add(transcript.Answered, "place", transcript.Facts{"place": "Vault 3"})
	d.Add(transcript.Plan, "approve",
		transcript.Facts{"plan": plan, "sha256": transcript.Digest([]byte(plan)), "acts": "switch"})
	d.Signed("approve", "alice", "dora")
	d.Add(transcript.Gathered, "approve", transcript.Facts{"approve_signed": "alice, dora"})
	d.Add(transcript.Begun, "switch", nil)
	d.Add(transcript.Done, "switch", transcript.Facts{"active": "2"})
	d.Add(transcript.Closed, "", transcript.Facts{"outcome": "done"})
	return d
}

// Newest is Rotation in the newest format, which demands more of a log.
func Newest(t testing.TB) *Draft {
	d := Rotation(t)
	maps.Copy(d.Events[0].Facts, transcript.Facts{
		"format":        transcript.Format,
		"tool_sha256":   transcript.Digest([]byte("the tool")),
		"script_sha256": transcript.Digest([]byte("the script")),
	})
	plan := d.Events[d.Find(transcript.Plan, "approve", "")].Facts
	plan["plan"] += "effect: 2 re-wrap: every DEK; undo: rotate back\n" +
		"effect: 3 retire: every version but 2; undo: rotate back\n"
	plan["sha256"], plan["acts"] = transcript.Digest([]byte(plan["plan"])), "switch re-wrap retire"
	d.Drop(transcript.Closed, "", "")
	d.Add(transcript.Begun, "re-wrap", nil)
	d.Add(transcript.Done, "re-wrap", transcript.Facts{"scanned": "10", "rewrapped": "7", "current": "1", "conflicts": "2",
		"poison": "0", "excluded": "0", "left": "0"})
	d.Add(transcript.Begun, "retire", nil)
	d.Add(transcript.Done, "retire", transcript.Facts{"retired": "1"})
	d.Add(transcript.Closed, "", transcript.Facts{"outcome": "done"})
	return d
}

// GivenUp is an install of the same people that was given up: before anybody attended, or by M
// of those who did.
func GivenUp(t testing.TB, attended bool) *Draft {
	d := Newest(t)
	opened, roster, asked := d.Events[0], d.Events[1], d.Events[d.Find(transcript.Asked, "attend", "")]
	opened.Facts["kind"] = "install"
	d.Events = transcript.Events{opened, roster, asked}
	if attended {
		d.Signed("attend", "alice", "bob")
		d.Add(transcript.Gathered, "attend", transcript.Facts{"attended": "alice, bob"})
	}
	d.Add(transcript.Answered, "void", transcript.Facts{"operator": "alice", "reason": "dora's key is lost"})
	d.Add(transcript.Closed, "", transcript.Facts{"outcome": "void", "done": "none", "begun": "none"})
	return d
}

// Add appends an event.
func (d *Draft) Add(kind transcript.Kind, step string, facts transcript.Facts) {
	d.Events = append(d.Events, transcript.Event{Time: "2026-11-24T10:00:00Z", Kind: kind, Step: step, Facts: facts})
}

// Signed appends the signatures of people.
func (d *Draft) Signed(step string, names ...string) {
	for _, n := range names {
		d.Add(transcript.Signed, step, transcript.Facts{"signer": n})
	}
}

// Find is the place of the first event of a kind and step, of a signer if one is named.
func (d *Draft) Find(kind transcript.Kind, step, signer string) int {
	i := slices.IndexFunc(d.Events, func(e transcript.Event) bool {
		return e.Kind == kind && e.Step == step && (signer == "" || e.Facts["signer"] == signer)
	})
	if i < 0 {
		d.T.Fatalf("no %s event of %s by %q", kind, step, signer)
	}
	return i
}

// Drop removes an event.
func (d *Draft) Drop(kind transcript.Kind, step, signer string) {
	i := d.Find(kind, step, signer)
	d.Events = slices.Delete(d.Events, i, i+1)
}

// Insert puts an event before place i.
func (d *Draft) Insert(i int, kind transcript.Kind, step string, facts transcript.Facts) {
	d.Events = slices.Insert(d.Events, i,
		transcript.Event{Time: "2026-11-24T10:00:00Z", Kind: kind, Step: step, Facts: facts})
}

// Person by name.
func (d *Draft) Person(name string) Person {
	i := slices.IndexFunc(d.People, func(p Person) bool { return p.Name == name })
	if i < 0 {
		d.T.Fatalf("nobody is called %s", name)
	}
	return d.People[i]
}

// Build chains the lines, makes every signature and every file.
func (d *Draft) Build() *Draft {
	d.T.Helper()
	d.Files = map[string][]byte{}
	var log []byte
	prev := d.Prev
	for i := range d.Events {
		e := &d.Events[i]
		e.Prev, e.Seq = prev, i
		if e.Kind == transcript.Signed {
			d.sign(i)
		}
		line, err := e.Line()
		if err != nil {
			d.T.Fatal(err)
		}
		log, prev = append(log, line...), transcript.Digest(line)
		d.embed(*e)
	}
	d.Files["events.jsonl"] = log
	core, ok := d.core()
	note, void := d.note()
	if void {
		d.Files[transcript.VoidFile] = note
	}
	_, came := Last(d.Events, func(e transcript.Event) bool { return e.Kind == transcript.Signed })
	if ok && (came || !void) {
		d.Finals(core)
	}
	return d
}

func (d *Draft) roster(fact string) quorum.Roster {
	r, err := quorum.ParseRoster([]byte(Fold(d.Events)[fact]), d.Mode)
	if err != nil && !d.Refused {
		d.T.Fatal(err)
	}
	return r
}

func (d *Draft) sign(i int) {
	e := &d.Events[i]
	facts := transcript.Facts{}
	order := transcript.Facts{}
	for name, value := range e.Facts {
		if what, ok := strings.CutPrefix(name, "forge."); ok {
			order[what] = value
		} else {
			facts[name] = value
		}
	}
	e.Facts = facts
	if order["keep"] != "" {
		return
	}
	asked, ok := Last(d.Events[:i], func(a transcript.Event) bool {
		return (a.Kind == transcript.Asked || a.Kind == transcript.Plan) && a.Step == e.Step
	})
	if !ok {
		d.T.Fatalf("event %d: nothing was asked", i)
	}
	req, err := transcript.RequestOf(d.Events[0], asked)
	if err != nil {
		d.T.Fatal(err)
	}
	roster := d.roster("roster")
	if req.Purpose == quorum.Join {
		roster = d.roster("next_roster")
	}
	m, ok := roster.Member(facts["signer"])
	if !ok {
		m = quorum.Member{Name: facts["signer"], Key: d.Person(facts["signer"]).Signer.PublicKey()}
	}
	statement, space, by := req.Statement(m), req.Namespace(), m.Name
	if s, ok := order["statement"]; ok {
		statement = []byte(s)
	}
	if s, ok := order["namespace"]; ok {
		space = s
	}
	if s, ok := order["by"]; ok {
		by = s
	}
	facts["key"], facts["namespace"], facts["file"] = m.Fingerprint(), req.Namespace(), req.File(m.Name)
	facts["statement"], facts["signature"] = string(statement), string(d.Person(by).Sign(d.T, space, statement))
	if a, ok := d.Person(by).Signer.(*Authenticator); ok {
		facts["fido"] = quorum.FIDO{Touched: true, Verified: a.Flags&4 != 0, Counter: a.Counter}.String()
	}
}

// embed makes the files that an event carries, as docs/transcript-format.md says.
func (d *Draft) embed(e transcript.Event) {
	put := func(name, fact string) { d.Files[name] = []byte(e.Facts[fact]) }
	switch e.Kind {
	case transcript.Roster:
		put("roster", "roster")
	case transcript.NextRoster:
		put(fmt.Sprintf("%04d-next-roster", e.Seq), "next_roster")
	case transcript.Plan:
		put(fmt.Sprintf("%04d-plan.txt", e.Seq), "plan")
	case transcript.Signed:
		put(e.Facts["file"], "statement")
		put(e.Facts["file"]+".sig", "signature")
	}
}

// Finals writes final.txt and everybody's final.
func (d *Draft) Finals(core []byte) {
	d.Files[transcript.CoreFile] = core
	if Fold(d.Events)["attended"] == "" {
		return
	}
	for _, name := range strings.Split(Fold(d.Events)["attended"], ", ") {
		m, ok := d.roster("roster").Member(name)
		if !ok || !m.May(d.Mode.Namespace(quorum.Final)) {
			continue
		}
		verdict := transcript.Followed
		if v, ok := d.Verdicts[name]; ok {
			verdict = v
		}
		text := transcript.FinalStatement(core, m, transcript.Final{Verdict: verdict, Words: d.Words[name]})
		d.Files[transcript.FinalFile(name)] = text
		d.Files[transcript.FinalFile(name)+".sig"] = d.Person(name).Sign(d.T, d.Mode.Namespace(quorum.Final), text)
	}
}

// Write puts the files into a directory, and says which.
func (d *Draft) Write(dir string) string {
	d.T.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		d.T.Fatal(err)
	}
	for name, data := range d.Files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			d.T.Fatal(err)
		}
	}
	return dir
}

// Next is a ceremony of the same people that follows this one.
func (d *Draft) Next() *Draft {
	n := Rotation(d.T)
	n.People = d.People
	n.Prev = transcript.Digest(d.Files[transcript.CoreFile])
	n.Events[n.Find(transcript.Asked, "attend", "")].Facts["last_final"] = n.Prev
	opened := maps.Clone(n.Events[0].Facts)
	seq := 0
	_, _ = fmt.Sscan(d.Events[0].Facts["ceremony"], &seq)
	opened["ceremony"] = fmt.Sprint(seq + 1)
	for name, data := range d.Files {
		if strings.HasPrefix(name, "final.") {
			opened["previous."+name] = transcript.Digest(data)
		}
	}
	n.Events[0].Facts = opened
	for i := range n.Events {
		n.Events[i].Time = d.Events[0].Clock().Add(time.Hour).Format(time.RFC3339)
	}
	return n
}
