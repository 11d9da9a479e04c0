package transcript_test

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// mutant is a draft that was changed, then built.
type mutant struct {
	name  string
	draft *draft
	want  string // a standing, or nothing: whatever both find
}

// unbuilt is why a draft cannot be built: it could not be signed, say.
type unbuilt string

// giveUp is a test that a draft cannot end.
type giveUp struct{ testing.TB }

func (giveUp) Helper()                         {}
func (giveUp) Fatal(args ...any)               { panic(unbuilt(fmt.Sprint(args...))) }
func (giveUp) Fatalf(form string, args ...any) { panic(unbuilt(fmt.Sprintf(form, args...))) }

// builtOf builds a draft, if that can be done.
func builtOf(t *testing.T, before func(t testing.TB) *draft, after func(*draft)) (d *draft, ok bool) {
	defer func() {
		if why := recover(); why != nil {
			if _, is := why.(unbuilt); !is {
				panic(why)
			}
		}
	}()
	d = before(giveUp{t})
	d.Build()
	after(d)
	d.T = t
	return d, true
}

// mutants are always the same ones.
func mutants(t *testing.T, n int) (list []mutant) {
	r := rand.New(rand.NewPCG(2026, 11))
	for seed := 0; len(list) < n; seed++ {
		var names []string
		m := mutator{r, nil}
		d, ok := builtOf(t, func(t testing.TB) *draft {
			d := baseDraft(t, r.IntN(12))
			for range 1 + r.IntN(3) {
				names = append(names, m.change(d))
			}
			return d
		}, func(d *draft) {
			for _, f := range m.after {
				f(d)
			}
		})
		if ok {
			list = append(list, mutant{fmt.Sprintf("draw %d: %s", seed, strings.Join(names, ", ")), d, ""})
		}
	}
	return list
}

// whole is a rotation that does every act of its kind, in either format.
func whole(t testing.TB, newest bool) *draft {
	d := transcripttest.Newest(t)
	if !newest {
		d.Events[0].Facts["format"] = transcript.FormatV1
	}
	return d
}

// baseDraft is a good ceremony of some kind.
func baseDraft(t testing.TB, kind int) *draft {
	if kind >= 10 {
		return transcripttest.GivenUp(t, kind > 10)
	}
	d := whole(t, kind%2 == 0)
	switch kind / 2 {
	case 0:
		joinErin(d)
	case 1: // it makes its version, in two runs
		maps.Copy(d.Events[0].Facts, transcript.Facts{"from": "1", "to": "2", "generate": "yes"})
		tell(transcript.Plan, "approve", "acts", "generate canary switch re-wrap retire")(d)
		at := d.Find(transcript.Begun, "switch", "")
		for i, act := range []string{"generate", "canary"} {
			d.Insert(at+2*i, transcript.Begun, act, nil)
			d.Insert(at+2*i+1, transcript.Done, act, nil)
		}
		d.Insert(d.Find(transcript.Signed, "approve", "alice"), transcript.Waiting, "approve", nil)
		d.Insert(d.Find(transcript.Signed, "approve", "alice"), transcript.Resumed, "", nil)
	case 2: // told of a deviation, then aborted
		d.Insert(d.Find(transcript.Answered, "place", ""), transcript.Deviation, "place", transcript.Facts{"what": "told",
			"expected": "e", "seen": "s", "decided": "d", "by": "b"})
		tell(transcript.Answered, "place", "differed", "a / b / c / d")(d)
		abort(d)
	}
	return d
}

// abort makes a rotation end with an act half done.
func abort(d *draft) {
	d.Drop(transcript.Done, "retire", "")
	d.Events[d.Find(transcript.Closed, "", "")].Facts =
		transcript.Facts{"outcome": "aborted", "done": "re-wrap, switch", "begun": "retire"}
}

// joinErin makes it a ceremony that changes the roster.
func joinErin(d *draft) {
	erin := transcripttest.Operator(d.T, "erin")
	d.People = append(d.People, erin)
	roster := transcripttest.RosterOf(2, d.Mode, d.People[1], d.People[2], d.People[3], erin)
	sum := transcript.Digest([]byte(roster))
	d.Events[0].Facts["kind"] = "roster"
	at := d.Find(transcript.Plan, "approve", "")
	d.Insert(at, transcript.NextRoster, "next-roster",
		transcript.Facts{"next_roster": roster, "next_roster_sha256": sum})
	d.Insert(at+1, transcript.Asked, "prove",
		transcript.Facts{"purpose": "roster", "next_roster_sha256": sum, "nonce.erin": "f1", "nonce.bob": "f2",
			"nonce.dora": "f3", "nonce.wendy": "f4"})
	d.Insert(at+2, transcript.Signed, "prove", transcript.Facts{"signer": "erin"})
	d.Insert(at+3, transcript.Gathered, "prove", transcript.Facts{"joined": "erin"})
	plan := d.Events[d.Find(transcript.Plan, "approve", "")].Facts
	plan["plan"] += "next_roster_sha256: " + sum + "\n"
	plan["sha256"], plan["acts"] = transcript.Digest([]byte(plan["plan"])), "change"
	d.Events = d.Events[:d.Find(transcript.Begun, "switch", "")]
	d.Add(transcript.Begun, "change", nil)
	d.Add(transcript.Done, "change", transcript.Facts{"next_roster_sha256": sum, "changed": "yes"})
	d.Add(transcript.Closed, "", transcript.Facts{"outcome": "done"})
}

// mutator changes one thing of a draft.
type mutator struct {
	*rand.Rand
	after []func(*draft)
}

func pick[E any](r *rand.Rand, list []E) E { return list[r.IntN(len(list))] }

var (
	names  = []string{"alice", "bob", "dora", "wendy", "erin"}
	steps  = []string{"attend", "approve", "prove", "switch", "retire", "change", "generate", "place", ""}
	values = []string{"", "x", "none", "roster", "alice", "alice, dora", "switch", "switch retire",
		"re-wrap, switch", "1", "aborted", "void"}
	kinds = []transcript.Kind{transcript.Roster, transcript.NextRoster, transcript.Asked, transcript.Plan,
		transcript.Signed, transcript.Gathered, transcript.Begun, transcript.Done, transcript.Closed, transcript.Resumed,
		transcript.Waiting, transcript.Answered, transcript.Found, transcript.Deviation, transcript.Noted, transcript.Failed}
	facts = []string{"chain", "ceremony", "kind", "mode", "from", "exclude", "roster", "next_roster_sha256", "attended",
		"changed", "canary_1_sha256", "begun.switch", "differed", "purpose", "acts", "plan", "sha256", "signer",
		"namespace", "file", "key", "fido", "nonce.alice", "last_final", "outcome", "done", "begun",
		"retired", "generate", "previous.final.txt", "operator", "reason"}
	rosterEdits = [][2]string{{"quorum: 2", "quorum: 1"}, {"quorum: 2", "quorum: 3"}, {"quorum: 2", "quorum: 4"},
		{"quorum: 2\n", "quorum: 2\n# user-verification: required\n"}, {"approve-v1@kekceremony,", ""},
		{"final-v1@kekceremony,", ""}, {"attend-v1@kekceremony,", ""}, {`" ssh`, `",valid-before="20261124100000Z" ssh`},
		{`" ssh`, `",valid-after="20261124100000Z" ssh`}, {`" sk`, `",valid-after="20270101000000Z" sk`},
		{"\nbob", "\nbobby"}, {"alice ", "alice  "}, {"\nalice", "\n\nalice"}, {"\nalice", "\n#\nalice"},
		{"\nbob", " comment\nbob"}}
	times = []string{"2026-11-24T09:59:59Z", "2026-11-24T10:00:01Z", "2030-01-01T00:00:00Z", "1970-01-01T00:00:01Z",
		"1970-01-01T00:00:00Z"}
)

// change makes one change, and says which.
func (m *mutator) change(d *draft) string {
	if len(d.Events) < 3 {
		return "nothing"
	}
	i := 1 + m.IntN(len(d.Events)-1)
	e := &d.Events[i]
	if e.Facts = maps.Clone(e.Facts); e.Facts == nil {
		e.Facts = transcript.Facts{}
	}
	what := fmt.Sprintf("%s %s of line %d", e.Kind, e.Step, i+1)
	have := slices.Sorted(maps.Keys(e.Facts))
	switch m.IntN(17) {
	case 0:
		d.Events = slices.Delete(d.Events, i, i+1)
		return "dropped " + what
	case 1:
		again := *e
		again.Facts = maps.Clone(e.Facts)
		to := 1 + m.IntN(len(d.Events)-1)
		d.Events = slices.Insert(d.Events, to, again)
		return fmt.Sprintf("%s again as line %d", what, to+1)
	case 2:
		j := 1 + m.IntN(len(d.Events)-1)
		d.Events[i], d.Events[j] = d.Events[j], d.Events[i]
		return fmt.Sprintf("%s for line %d", what, j+1)
	case 3:
		d.Events = d.Events[:i]
		return "cut before " + what
	case 4:
		d.Events = append(slices.Clone(d.Events[:i]), d.Events[len(d.Events)-1])
		return "closed before " + what
	case 5:
		e.Kind = pick(m.Rand, kinds)
		return what + " is " + string(e.Kind)
	case 6:
		e.Step = pick(m.Rand, steps)
		return what + " is of step " + e.Step
	case 7:
		e.Time = pick(m.Rand, times)
		return what + " at " + e.Time
	case 8, 9:
		name, value := pick(m.Rand, append(have, facts...)), pick(m.Rand, values)
		e.Facts[name] = value
		return fmt.Sprintf("%s: %s is %q", what, name, value)
	case 10:
		if len(have) > 0 {
			name := pick(m.Rand, have)
			delete(e.Facts, name)
			return what + " without " + name
		}
		return "nothing"
	case 11, 12:
		kind := pick(m.Rand, kinds)
		d.Insert(i, kind, pick(m.Rand, steps), nil)
		if kind == transcript.Signed {
			d.Events[i].Facts = transcript.Facts{"signer": pick(m.Rand, names)}
		}
		return fmt.Sprintf("%s %s before %s", kind, d.Events[i].Step, what)
	case 13:
		return m.roster(d)
	case 14:
		return m.signature(d)
	case 15:
		name := pick(m.Rand, names)
		d.Verdicts[name] = pick(m.Rand, []transcript.Verdict{transcript.Followed, transcript.Deviations,
			transcript.Disagree, "no"})
		d.Words = map[string]string{name: pick(m.Rand, []string{"", "", "the clock", " the clock", "a\nb", "\x1b[2J",
			`\u{1b}`, `\u`, strings.Repeat("w", 241)})}
		return fmt.Sprintf("%s: %s, words %q", name, d.Verdicts[name], d.Words[name])
	}
	return m.files()
}

// roster changes the roster, and tells its digest.
func (m *mutator) roster(d *draft) string {
	fact := pick(m.Rand, []string{"roster", "roster", "next_roster"})
	at := slices.IndexFunc(d.Events, func(e transcript.Event) bool {
		return e.Facts[fact] != "" && e.Facts[fact+"_sha256"] != ""
	})
	if at < 0 {
		return "nothing"
	}
	f := d.Events[at].Facts
	edit := pick(m.Rand, rosterEdits)
	before := f[fact+"_sha256"]
	f[fact] = strings.Replace(f[fact], edit[0], edit[1], 1)
	f[fact+"_sha256"] = transcript.Digest([]byte(f[fact]))
	for i := range d.Events { // all others tell the new one
		for name, value := range d.Events[i].Facts {
			d.Events[i].Facts[name] = strings.ReplaceAll(value, before, f[fact+"_sha256"])
		}
		if plan := d.Events[i].Facts; d.Events[i].Kind == transcript.Plan && plan != nil {
			plan["sha256"] = transcript.Digest([]byte(plan["plan"]))
		}
	}
	return fmt.Sprintf("%s: %q", fact, edit[1])
}

// signature has one made in another way.
func (m *mutator) signature(d *draft) string {
	a := d.Person("dora").Signer.(*transcripttest.Authenticator)
	switch m.IntN(4) {
	case 0:
		a.Flags = pick(m.Rand, []byte{0, 1, 4, 5, 0x41})
		return fmt.Sprintf("flags %d", a.Flags)
	case 1:
		a.Counter, a.Step = pick(m.Rand, []uint32{0, 1, 9}), pick(m.Rand, []uint32{0, 1, ^uint32(0)})
		return fmt.Sprintf("counter %d, and %d", a.Counter, a.Step)
	}
	var at []int
	for i, e := range d.Events {
		if e.Kind == transcript.Signed {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return "nothing"
	}
	i := pick(m.Rand, at)
	f := d.Events[i].Facts
	name := pick(m.Rand, []string{"signer", "forge.by", "forge.namespace", "forge.statement"})
	f[name] = pick(m.Rand, names)
	if name == "forge.namespace" {
		f[name] = pick(m.Rand, []quorum.Mode{quorum.Production, quorum.Rehearsal}).Namespace(pick(m.Rand, quorum.Purposes()))
	}
	return fmt.Sprintf("line %d: %s %s", i+1, name, f[name])
}

// files changes one when all are made.
func (m *mutator) files() string {
	n, how := m.Int(), m.IntN(4)
	m.after = append(m.after, func(d *draft) {
		list := slices.Sorted(maps.Keys(d.Files))
		notFinal := func(f string) bool { return !strings.HasPrefix(f, "final.") }
		if finals := slices.DeleteFunc(slices.Clone(list), notFinal); n%4 > 0 && len(finals) > 0 {
			list = finals
		}
		name := list[n%len(list)]
		switch how {
		case 0:
			d.Files[name] = append(slices.Clone(d.Files[name]), 'x')
		case 1:
			d.Files["final."+names[n%len(names)]+".txt"] = d.Files[name]
		default:
			delete(d.Files, name)
		}
	})
	return fmt.Sprintf("file %d, %d", n, how)
}

// answers are drafts by which docs/transcript-format.md answers what readers asked.
var answers = []struct {
	name, want string
	before     func(*draft)
	after      func(*draft)
}{
	{name: "as it is", want: "good"},
	{name: "a destruction aborted, the key kept", want: "good", before: stopped("attempt", "kept")},
	{name: "a destruction aborted, kept and begun again", want: "bad", before: stopped("attempt", "kept", "attempt")},
	{name: "a destruction aborted, the key kept by M", want: "good", before: keptBy("alice", "dora")},
	{name: "a destruction aborted, the key kept by fewer", want: "bad", before: keptBy("alice")},
	{name: "a destruction done, kept by M before", want: "bad", before: keptAndThen(transcript.Done, nil)},
	{name: "a destruction aborted, kept by M and begun again", want: "bad", before: func(d *draft) {
		keptBy("alice", "dora")(d)
		d.Insert(len(d.Events)-1, transcript.Noted, transcript.ActDestroy, transcript.Facts{"attempt": "of version 1"})
	}},
	{name: "done without begun", want: "good", before: func(d *draft) { d.Drop(transcript.Begun, "switch", "") }},
	{name: "differed: none", want: "good", before: tell(transcript.Answered, "place", "differed", "none")},
	{name: "differed: no", want: "bad", before: tell(transcript.Answered, "place", "differed", "no")},
	{name: "differed, and a deviation of another step", want: "bad", before: func(d *draft) {
		tell(transcript.Answered, "place", "differed", "a")(d)
		d.Insert(d.Find(transcript.Answered, "place", ""), transcript.Deviation, "elsewhere", nil)
	}},
	{name: "differed, and a deviation", want: "good", before: func(d *draft) {
		tell(transcript.Answered, "place", "differed", "a")(d)
		d.Insert(d.Find(transcript.Answered, "place", ""), transcript.Deviation, "place", nil)
	}},
	{name: "no tool", want: "good", before: func(d *draft) { delete(d.Events[0].Facts, "tool") }},
	{name: "the mode in an answer", want: "bad", before: tell(transcript.Answered, "place", "mode", "")},
	{name: "an act that the plan names left undone", want: "good",
		before: tell(transcript.Plan, "approve", "acts", "switch re-wrap retire more")},
	{name: "an act of the kind left undone", want: "bad", before: func(d *draft) {
		d.Drop(transcript.Done, "re-wrap", "")
	}},
	{name: "an act of the kind that no plan names, v1", want: "good",
		before: tell(transcript.Opened, "", "generate", "yes")},
	{name: "an act of the kind that no plan names, v2", want: "bad", before: func(d *draft) {
		tell(transcript.Opened, "", "format", transcript.Format)(d)
		tell(transcript.Opened, "", "generate", "yes")(d)
	}},
	{name: "the fence of the first line left undone, v1", want: "good",
		before: tell(transcript.Opened, "", "fence", "yes")},
	{name: "the fence of the first line left undone, v2", want: "bad", before: func(d *draft) {
		tell(transcript.Opened, "", "format", transcript.Format)(d)
		tell(transcript.Opened, "", "fence", "yes")(d)
	}},
	{name: "unfenced, v2", want: "good", before: func(d *draft) {
		tell(transcript.Opened, "", "format", transcript.Format)(d)
		tell(transcript.Opened, "", "fence", "unfenced: a test")(d)
	}},
	{name: "what is fenced in a finding", want: "bad", before: tell(transcript.Answered, "place", "fenced", "1")},
	{name: "a kind that requires nothing, v2", want: "good", before: func(d *draft) {
		tell(transcript.Opened, "", "format", transcript.Format)(d)
		tell(transcript.Opened, "", "kind", "party")(d)
		tell(transcript.Opened, "", "fence", "yes")(d)
		d.Drop(transcript.Begun, "re-wrap", "")
		d.Drop(transcript.Done, "re-wrap", "")
	}},
	{name: "a second plan of which no act was begun, and a resume, v1", want: "good", before: asksAgain},
	{name: "a second plan of which no act was begun, and a resume, v2", want: "bad", before: func(d *draft) {
		tell(transcript.Opened, "", "format", transcript.Format)(d)
		asksAgain(d)
	}},
	{name: "generate done without begun", want: "bad", before: func(d *draft) {
		tell(transcript.Plan, "approve", "acts", "switch re-wrap retire generate")(d)
		d.Insert(d.Find(transcript.Closed, "", ""), transcript.Done, "generate", nil)
	}},
	{name: "aborted", want: "good", before: abort},
	{name: "aborted, and the acts in another order", want: "good", before: aborted("done", "switch, re-wrap")},
	{name: "aborted, and an act not told", want: "bad", before: aborted("done", "switch")},
	{name: "aborted, and an act twice", want: "bad", before: aborted("done", "re-wrap, switch, switch")},
	{name: "aborted, and nothing half done", want: "bad", before: aborted("begun", "none")},
	{name: "aborted, and an empty list", want: "bad", before: aborted("begun", "")},
	{name: "aborted, and no list", want: "good", before: func(d *draft) {
		abort(d)
		d.Events[len(d.Events)-1].Facts = transcript.Facts{"outcome": "aborted"}
	}},
	{name: "attended where approvals are gathered", want: "bad",
		before: tell(transcript.Gathered, "approve", "attended", "alice, dora")},
	{name: "an empty attended where approvals are gathered", want: "bad",
		before: tell(transcript.Gathered, "approve", "attended", "")},
	{name: "retired in a found event", want: "bad", before: func(d *draft) {
		d.Insert(2, transcript.Found, "scan", transcript.Facts{"retired": "1"})
	}},
	{name: "the first second of 1970", want: "bad", before: secondAt("1970-01-01T00:00:00Z")},
	{name: "the next second", want: "good", before: secondAt("1970-01-01T00:00:01Z")},
	{name: "bytes after a signature", want: "bad", before: func(d *draft) {
		d.People[1].Signer = longer{d.People[1].Signer}
	}},
	{name: "bytes after the signature of a final", want: "bad", after: func(d *draft) {
		d.People[1].Signer = longer{d.People[1].Signer}
		addFinal(d, "bob")
	}},
	{name: "an unknown kind", want: "bad", before: func(d *draft) { d.Insert(2, "party", "", nil) }},
	{name: "an unknown format", want: "bad", before: tell(transcript.Opened, "", "format", "kekceremony transcript v9")},
	{name: "an install with a prev", want: "good", before: func(d *draft) {
		d.Prev = strings.Repeat("a", 64)
		tell(transcript.Asked, "attend", "last_final", d.Prev)(d)
	}},
	{name: "a prev that is no digest", want: "bad", before: func(d *draft) {
		d.Prev = strings.Repeat("A", 64)
		tell(transcript.Asked, "attend", "last_final", d.Prev)(d)
	}},
	{name: "no nonces, and no last final", want: "good", before: func(d *draft) {
		d.Events[d.Find(transcript.Asked, "attend", "")].Facts = nil
	}},
	{name: "another last final", want: "bad",
		before: tell(transcript.Asked, "attend", "last_final", strings.Repeat("1", 64))},
	{name: "an empty last final", want: "bad", before: tell(transcript.Asked, "attend", "last_final", "")},
	{name: "another last final in a plan", want: "bad", before: tell(transcript.Plan, "approve", "last_final", "x")},
	{name: "a signature without its statement", want: "incomplete", after: func(d *draft) {
		delete(d.Files, "final.bob.txt")
	}},
	{name: "a signature without its statement, beside a bad final", want: "bad", after: func(d *draft) {
		delete(d.Files, "final.alice.txt")
		d.Files["final.dora.txt.sig"] = d.Files["final.bob.txt.sig"]
	}},
	{name: "a signature without its statement, beside a file that nothing names", want: "bad", after: func(d *draft) {
		delete(d.Files, "final.alice.txt")
		d.Files["x"] = nil
	}},
	{name: "a statement without its signature", want: "good", after: func(d *draft) {
		delete(d.Files, "final.bob.txt.sig")
	}},
	{name: "a final without final.txt", want: "bad", after: func(d *draft) { delete(d.Files, "final.txt") }},
	{name: "an empty log", want: "incomplete", after: func(d *draft) {
		d.Files = map[string][]byte{"events.jsonl": nil, "x": nil}
	}},
	{name: "an empty log beside final.txt", want: "bad", after: func(d *draft) { d.Files["events.jsonl"] = nil }},
	{name: "a torn first line", want: "incomplete", after: func(d *draft) {
		d.Files = map[string][]byte{"events.jsonl": d.Files["events.jsonl"][:99]}
	}},
	{name: "a key not valid at the end", want: "bad", before: func(d *draft) {
		rosterWith(d, `" ssh`, `",valid-before="20261124100001Z" ssh`)
		d.Events[len(d.Events)-1].Time = "2026-11-24T10:00:01Z"
	}},
	{name: "a key valid at the end", want: "good", before: func(d *draft) {
		rosterWith(d, `" ssh`, `",valid-after="20261124100000Z",valid-before="20261124100002Z" ssh`)
		d.Events[len(d.Events)-1].Time = "2026-11-24T10:00:01Z"
	}},
	{name: "valid-before first", want: "bad", before: func(d *draft) {
		rosterWith(d, `" ssh`, `",valid-before="20270101000000Z",valid-after="20260101000000Z" ssh`)
		d.Events = d.Events[:2] // nobody can sign by it
	}},
	{name: "an empty valid-after", want: "bad", before: emptyDate("after")},
	{name: "an empty valid-before", want: "bad", before: emptyDate("before")},
	{name: "spaces in a roster", want: "good", before: func(d *draft) { rosterWith(d, "alice ", "  alice   ") }},
	{name: "names of the other mode", want: "good", before: func(d *draft) {
		rosterWith(d, `"attend-v1@`, `"roster-rehearsal-v1@kekceremony,attend-v1@`)
	}},
	{name: "counters 0, 0, 0", want: "good", before: func(d *draft) {
		d.Person("dora").Signer.(*transcripttest.Authenticator).Step = 0
	}},
	{name: "counters 1, 0", want: "bad", before: func(d *draft) {
		a := d.Person("dora").Signer.(*transcripttest.Authenticator)
		a.Counter, a.Step = 2, ^uint32(0)
	}},
	{name: "sums that do not add up", want: "good", before: func(d *draft) {
		d.Events[d.Find(transcript.Done, "re-wrap", "")].Facts = transcript.Facts{"scanned": "7", "rewrapped": "1"}
	}},
	{name: "1,000 requests", want: "good", before: func(d *draft) { askOften(d, 998) }},
	{name: "1,001 requests", want: "bad", before: func(d *draft) { askOften(d, 999) }},
	{name: "asked again, and aborted", want: "bad", before: func(d *draft) {
		tell(transcript.Closed, "", "outcome", "aborted")(d)
		d.Insert(d.Find(transcript.Closed, "", ""), transcript.Asked, "attend", nil)
	}},
	{name: "a next roster after the change", want: "bad", before: func(d *draft) {
		joinErin(d)
		next := d.Events[d.Find(transcript.NextRoster, "next-roster", "")]
		d.Insert(d.Find(transcript.Closed, "", ""), next.Kind, next.Step, maps.Clone(next.Facts))
	}},
	{name: "a proof that a later next roster ended", want: "bad", before: func(d *draft) {
		joinErin(d)
		next := d.Events[d.Find(transcript.NextRoster, "next-roster", "")]
		d.Insert(d.Find(transcript.Signed, "prove", ""), next.Kind, next.Step, maps.Clone(next.Facts))
	}},
	{name: "a roster changed by an act that nobody began", want: "bad", before: func(d *draft) {
		joinErin(d)
		d.Drop(transcript.Begun, "change", "")
	}},
	{name: "proofs that were gathered too early", want: "bad", before: func(d *draft) {
		joinErin(d)
		d.Drop(transcript.Signed, "prove", "erin")
		d.Insert(d.Find(transcript.Plan, "approve", ""), transcript.Signed, "prove", transcript.Facts{"signer": "erin"})
	}},
}

// tell adds a fact to an event.
func tell(kind transcript.Kind, step, name, value string) func(*draft) {
	return func(d *draft) {
		e := &d.Events[d.Find(kind, step, "")]
		e.Facts = maps.Clone(e.Facts)
		e.Facts[name] = value
	}
}

// aborted names the acts of an aborted rotation that were done, or half done.
func aborted(name, acts string) func(*draft) {
	return func(d *draft) {
		abort(d)
		tell(transcript.Closed, "", name, acts)(d)
	}
}

// secondAt sets the time of the second line.
func secondAt(time string) func(*draft) { return func(d *draft) { d.Events[1].Time = time } }

func emptyDate(end string) func(*draft) {
	return func(d *draft) {
		rosterWith(d, `" ssh`, `",valid-`+end+`="" ssh`)
		d.Events = d.Events[:2] // nobody can sign by it
	}
}

// longer signs with a byte after the signature.
type longer struct{ ssh.Signer }

func (l longer) Sign(r io.Reader, data []byte) (*ssh.Signature, error) {
	sig, err := l.Signer.Sign(r, data)
	if err == nil {
		sig.Rest = []byte{0}
	}
	return sig, err
}

func rosterWith(d *draft, old, text string) {
	f := d.Events[d.Find(transcript.Roster, "roster", "")].Facts
	f["roster"] = strings.Replace(f["roster"], old, text, 1)
	f["roster_sha256"] = transcript.Digest([]byte(f["roster"]))
}

func askOften(d *draft, n int) {
	at := d.Find(transcript.Plan, "approve", "")
	for range n {
		d.Insert(at, transcript.Asked, "attend", nil)
	}
}

// asksAgain has people approve a second plan of the step, and another run continue before any
// act of that was begun.
func asksAgain(d *draft) {
	at := d.Find(transcript.Begun, "retire", "")
	rest, again := slices.Clone(d.Events[at:]), d.Events[d.Find(transcript.Plan, "approve", "")]
	d.Events = append(d.Events[:at], again)
	d.Signed("approve", "alice", "dora")
	d.Add(transcript.Resumed, "", nil)
	d.Events = append(d.Events, rest...)
}

// answeredDrafts are the answers, built.
func answeredDrafts(t *testing.T) (list []mutant) {
	for _, a := range answers {
		d, ok := builtOf(t, func(t testing.TB) *draft {
			d := whole(t, false)
			if a.before != nil {
				a.before(d)
			}
			return d
		}, func(d *draft) {
			if a.after != nil {
				a.after(d)
			}
		})
		if !ok {
			t.Fatalf("%s: it cannot be built", a.name)
		}
		list = append(list, mutant{a.name, d, a.want})
	}
	return list
}
