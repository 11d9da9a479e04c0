package transcript_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

type draft = transcripttest.Draft

// attack is something that must not pass: what is done to the draft before it is
// chained and signed, and to its files after.
type attack struct {
	name   string // of the case
	before func(*draft)
	after  func(*draft)
	want   transcript.Standing
	rule   transcript.Rule
	says   string
	newest bool // of the newest format, which demands it
	void   bool // of an install that was given up, by those who attended
}

// edit changes the log's bytes, so that nothing is chained or signed again.
func edit(change func([]byte) []byte) func(*draft) {
	return func(d *draft) { d.Files["events.jsonl"] = change(bytes.Clone(d.Files["events.jsonl"])) }
}

// replace changes the first such text of the log's bytes.
func replace(old, text string) func(*draft) {
	return func(d *draft) {
		edit(func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				d.T.Fatalf("the log has no %q", old)
			}
			return bytes.Replace(b, []byte(old), []byte(text), 1)
		})(d)
	}
}

// openAgain takes the last line and the finals away.
func openAgain(d *draft) {
	lines(func(all [][]byte) [][]byte { return all[:len(all)-2] })(d)
	maps.DeleteFunc(d.Files, func(name string, _ []byte) bool { return strings.HasPrefix(name, "final.") })
}

// line swaps, drops and repeats whole lines.
func lines(change func([][]byte) [][]byte) func(*draft) {
	return edit(func(b []byte) []byte { return bytes.Join(change(bytes.SplitAfter(b, []byte("\n"))), nil) })
}

// signature changes the armor of alice's approval, in the log and, by Build, in the file.
func approval(of string, change func(e *transcript.Event, d *draft)) func(*draft) {
	return func(d *draft) {
		d.Build() // once, so that there is a signature to change
		i := d.Find(transcript.Signed, "approve", of)
		change(&d.Events[i], d)
		d.Events[i].Facts["forge.keep"] = "yes"
		for j := range d.Events { // the others are signed again: their counters must not go back
			if d.Events[j].Kind == transcript.Signed && j != i && j < i {
				d.Events[j].Facts["forge.keep"] = "yes"
			}
		}
	}
}

func armor(change func(string) string) func(*draft) {
	return approval("alice", func(e *transcript.Event, _ *draft) { e.Facts["signature"] = change(e.Facts["signature"]) })
}

// attacks are the C and S cases that one bundle shows.
var attacks = []attack{
	{name: "C01 a byte of a line changed", after: replace(`"Vault 3"`, `"Vault 4"`),
		want: transcript.Bad, rule: transcript.RuleLog, says: "line 10: prev is not the digest of line 9"},
	{name: "C02 two lines swapped", after: lines(func(l [][]byte) [][]byte { l[7], l[8] = l[8], l[7]; return l }),
		want: transcript.Bad, rule: transcript.RuleLog, says: "line 8: seq is 8, want 7"},
	{name: "C03 the last lines deleted", after: lines(func(l [][]byte) [][]byte { return l[:len(l)-3] }),
		want: transcript.Bad, rule: transcript.RuleFinals, says: "no final matches the log's last line"},
	{name: "C04 the finals deleted", after: func(d *draft) {
		maps.DeleteFunc(d.Files, func(name string, _ []byte) bool {
			return strings.HasPrefix(name, "final.") && name != transcript.CoreFile
		})
	}, want: transcript.Incomplete, rule: transcript.RuleFinals, says: "0 of 2 agree"},
	{name: "C04 one final deleted of those needed", after: func(d *draft) {
		for _, n := range []string{"alice", "bob", "wendy"} {
			delete(d.Files, "final."+n+".txt")
			delete(d.Files, "final."+n+".txt.sig")
		}
	}, want: transcript.Incomplete, rule: transcript.RuleFinals, says: "1 of 2 agree"},
	{name: "C05 bytes after the last line feed", after: edit(func(b []byte) []byte { return append(b, ' ') }),
		want: transcript.Bad, rule: transcript.RuleLog, says: "bytes after the last line feed"},
	{name: "C06 CRLF", after: replace("\n", "\r\n"),
		want: transcript.Bad, rule: transcript.RuleLog, says: "not in the one form"},
	{name: "C06 BOM", after: edit(func(b []byte) []byte { return append([]byte("\xef\xbb\xbf"), b...) }),
		want: transcript.Bad, rule: transcript.RuleLog, says: "line 1"},
	{name: "C06 NUL", after: replace("Vault 3", "Vault\x003"),
		want: transcript.Bad, rule: transcript.RuleLog, says: "line 9"},
	{name: "C07 a name twice", after: replace(`"kind":"opened"`, `"kind":"opened","kind":"opened"`),
		want: transcript.Bad, rule: transcript.RuleLog, says: "not in the one form"},
	{name: "C07 Seq for seq", after: replace(`"seq":3`, `"Seq":3`),
		want: transcript.Bad, rule: transcript.RuleLog, says: "not in the one form"},
	{name: "C07 Seq beside seq", after: replace(`"seq":3`, `"seq":3,"Seq":3`),
		want: transcript.Bad, rule: transcript.RuleLog, says: "not in the one form"},
	{name: "C07 1e0", after: replace(`"seq":1,`, `"seq":1e0,`),
		want: transcript.Bad, rule: transcript.RuleLog, says: "line 2"},
	{name: "C07 -0", after: replace(`"seq":0,`, `"seq":-0,`),
		want: transcript.Bad, rule: transcript.RuleLog, says: "line 1"},
	{name: "C07 an unknown name", after: replace(`"seq":0,`, `"seq":0,"x":1,`),
		want: transcript.Bad, rule: transcript.RuleLog, says: "unknown field"},
	{name: "C07 an escaped letter", after: replace("Vault 3", "\\u0056ault 3"),
		want: transcript.Bad, rule: transcript.RuleLog, says: "not in the one form"},
	{name: "C07 a space", after: replace(`"seq":0,`, `"seq": 0,`),
		want: transcript.Bad, rule: transcript.RuleLog, says: "not in the one form"},
	{name: "C07 null", after: replace(`"place":"Vault 3"`, `"place":null`),
		want: transcript.Bad, rule: transcript.RuleLog, says: "not in the one form"},
	{name: "C12 a file that nothing names", after: func(d *draft) { d.Files["note.txt"] = []byte("x") },
		want: transcript.Bad, rule: transcript.RuleFiles, says: "note.txt: the log knows no such file"},
	{name: "C12 a file missing", after: func(d *draft) { delete(d.Files, "roster") },
		want: transcript.Bad, rule: transcript.RuleFiles, says: "roster is missing"},
	{name: "C12 a file that a crash kept from being written", after: func(d *draft) {
		openAgain(d)
		delete(d.Files, "roster")
	}, want: transcript.Incomplete, rule: transcript.RuleFiles, says: "line 2: roster is missing"},
	{name: "C12 a file that a crash cut", after: func(d *draft) {
		openAgain(d)
		d.Files["roster"] = d.Files["roster"][:9]
	}, want: transcript.Incomplete, rule: transcript.RuleFiles, says: "line 2: roster is cut"},
	{name: "C12 another file in an open log", after: func(d *draft) {
		openAgain(d)
		d.Files["roster"][3] = 'Q'
	}, want: transcript.Bad, rule: transcript.RuleFiles, says: "line 2: roster differs"},
	{name: "C14 a line of 50 MB",
		after: edit(func(b []byte) []byte { return append(b, bytes.Repeat([]byte("x"), 50<<20)...) }),
		want:  transcript.Bad, rule: transcript.RuleFiles, says: "more than 8388608 bytes"},
	{name: "C14 a million lines",
		after: edit(func(b []byte) []byte { return append(b, bytes.Repeat([]byte("{\"seq\":1}\n"), 1_000_000)...) }),
		want:  transcript.Bad, rule: transcript.RuleFiles, says: "more than 8388608 bytes"},
	{name: "C14 ten thousand signatures", after: func(d *draft) {
		for i := range 10_000 {
			d.Files[fmt.Sprintf("%04d-approve.alice.txt.sig", i)] = []byte("x")
		}
	}, want: transcript.Bad, rule: transcript.RuleFiles, says: "more than 2000"},

	{name: "S01 an approval of another ceremony", before: approval("alice", func(e *transcript.Event, d *draft) {
		other := transcripttest.Rotation(d.T)
		other.Events[0].Facts["ceremony"] = "2"
		other.Build()
		from := other.Events[other.Find(transcript.Signed, "approve", "alice")].Facts
		e.Facts["statement"], e.Facts["signature"] = from["statement"], from["signature"]
	}), want: transcript.Bad, rule: transcript.RuleSignatures, says: "not the statement that was asked of alice"},
	{name: "S02 an attendance as an approval", before: func(d *draft) {
		d.Events[d.Find(transcript.Signed, "approve", "alice")].Facts["forge.namespace"] = "attend-v1@kekceremony"
	}, want: transcript.Bad, rule: transcript.RuleSignatures, says: "made in namespace"},
	{name: "S02 a git signature as an approval", before: func(d *draft) {
		d.Events[d.Find(transcript.Signed, "approve", "alice")].Facts["forge.namespace"] = "git"
	}, want: transcript.Bad, rule: transcript.RuleSignatures, says: `made in namespace "git"`},
	{name: "S02 an approval as a final", after: func(d *draft) {
		text := d.Files["final.alice.txt"]
		d.Files["final.alice.txt.sig"] = d.Person("alice").Sign(d.T, "approve-v1@kekceremony", text)
	}, want: transcript.Bad, rule: transcript.RuleFinals, says: "made in namespace"},
	{name: "S03 a rehearsal's signature", before: func(d *draft) {
		d.Events[d.Find(transcript.Signed, "approve", "alice")].Facts["forge.namespace"] = "approve-rehearsal-v1@kekceremony"
	}, want: transcript.Bad, rule: transcript.RuleSignatures, says: "made in namespace"},
	{name: "S04 an approval of an earlier request", before: func(d *draft) {
		again := d.Events[d.Find(transcript.Plan, "approve", "")]
		at := d.Find(transcript.Gathered, "approve", "")
		d.Insert(at, transcript.Plan, "approve", maps.Clone(again.Facts))
	}, want: transcript.Bad, rule: transcript.RuleQuorum, says: "0 of 2"},
	{name: "S04 the plan changed after it was signed", before: func(d *draft) {
		d.Build()
		for i := range d.Events {
			if d.Events[i].Kind == transcript.Signed {
				d.Events[i].Facts["forge.keep"] = "yes"
			}
		}
		plan := d.Events[d.Find(transcript.Plan, "approve", "")].Facts
		plan["plan"] = strings.Replace(plan["plan"], "version 2", "version 3", 1)
		plan["sha256"] = transcript.Digest([]byte(plan["plan"]))
	}, want: transcript.Bad, rule: transcript.RuleSignatures, says: "not the statement that was asked"},
	{name: "S05 one key under two names", before: func(d *draft) {
		d.Events[d.Find(transcript.Signed, "approve", "dora")].Facts["forge.by"] = "alice"
	}, want: transcript.Bad, rule: transcript.RuleSignatures, says: "made with a key other than"},
	{name: "S07 the same signature twice", before: func(d *draft) {
		at := d.Find(transcript.Signed, "approve", "dora")
		d.Events[at].Facts["signer"] = "alice"
	}, want: transcript.Bad, rule: transcript.RuleSignatures, says: "alice has signed already"},
	{name: "S09 nobody touched the authenticator", before: func(d *draft) {
		d.Person("dora").Signer.(*transcripttest.Authenticator).Flags = 0
	}, want: transcript.Bad, rule: transcript.RuleSignatures, says: "user presence"},
	{name: "S09 the user was not verified", before: func(d *draft) {
		demand(d, "# quorum: 2\n# user-verification: required\n")
	}, want: transcript.Bad, rule: transcript.RuleSignatures, says: "did not verify its user"},
	{name: "S09 the counter went back", before: func(d *draft) {
		a := d.Person("dora").Signer.(*transcripttest.Authenticator)
		a.Counter, a.Step = 100, ^uint32(0)
	}, want: transcript.Bad, rule: transcript.RuleSignatures,
		says: "the authenticator's counter is 98, and was 99 before"},
	{name: "S10 two signatures in one file", before: armor(func(s string) string { return s + s }),
		want: transcript.Bad, rule: transcript.RuleSignatures},
	{name: "S10 text before", before: armor(func(s string) string { return "x\n" + s }),
		want: transcript.Bad, rule: transcript.RuleSignatures},
	{name: "S10 text after", before: armor(func(s string) string { return s + "x\n" }),
		want: transcript.Bad, rule: transcript.RuleSignatures},
	{name: "S10 PEM headers", before: armor(func(s string) string {
		return strings.Replace(s, "SIGNATURE-----\n", "SIGNATURE-----\nComment: x\n\n", 1)
	}), want: transcript.Bad, rule: transcript.RuleSignatures},
	{name: "S10 other lengths of lines", before: armor(func(s string) string {
		l := strings.SplitAfter(s, "\n")
		return l[0] + strings.TrimSuffix(l[1], "\n") + strings.Join(l[2:], "")
	}), want: transcript.Bad, rule: transcript.RuleSignatures, says: "the armor is not as ssh-keygen writes it"},
	{name: "S11 a statement without its last line feed",
		before: func(d *draft) { restate(d, func(s string) string { return strings.TrimSuffix(s, "\n") }) },
		want:   transcript.Bad, rule: transcript.RuleSignatures, says: "not the statement that was asked"},
	{name: "S13 a key not valid yet", before: func(d *draft) { valid(d, `valid-after="20270101000000Z"`) },
		want: transcript.Bad, rule: transcript.RuleSignatures, says: "the key is valid from 2027-01-01"},
	{name: "S13 a key not valid any more", before: func(d *draft) { valid(d, `valid-before="20260101000000Z"`) },
		want: transcript.Bad, rule: transcript.RuleSignatures, says: "the key was valid until 2026-01-01"},
	{name: "S15 a signature over other bytes", before: func(d *draft) {
		d.Events[d.Find(transcript.Signed, "approve", "alice")].Facts["forge.statement"] = "something else\n"
	}, want: transcript.Bad, rule: transcript.RuleSignatures, says: "not the statement that was asked"},
	{name: "S17 an approval by somebody who did not attend", before: func(d *draft) {
		d.Drop(transcript.Signed, "attend", "alice")
		d.Events[d.Find(transcript.Gathered, "attend", "")].Facts["attended"] = "bob, dora, wendy"
	}, want: transcript.Bad, rule: transcript.RuleOrder, says: "alice did not attend"},
	{name: "S17 a witness approves", before: func(d *draft) {
		d.Events[d.Find(transcript.Signed, "approve", "alice")].Facts["signer"] = "wendy"
	}, want: transcript.Bad, rule: transcript.RuleSignatures, says: "the roster does not allow it"},

	{name: "too few for the act", before: func(d *draft) { d.Drop(transcript.Signed, "approve", "dora") },
		want: transcript.Bad, rule: transcript.RuleQuorum, says: "1 of 2"},
	{name: "an act that no plan covers", before: func(d *draft) {
		d.Insert(d.Find(transcript.Closed, "", ""), transcript.Begun, "destroy", nil)
	}, want: transcript.Bad, rule: transcript.RuleOrder, says: "no plan covers it"},
	{name: "an act before its approval", before: func(d *draft) {
		d.Drop(transcript.Begun, "switch", "")
		d.Insert(d.Find(transcript.Signed, "approve", "alice"), transcript.Begun, "switch", nil)
	}, want: transcript.Bad, rule: transcript.RuleQuorum, says: "0 of 2"},
	{name: "an approval that outlived its run", before: func(d *draft) {
		d.Insert(d.Find(transcript.Begun, "switch", ""), transcript.Resumed, "", nil)
	}, want: transcript.Bad, rule: transcript.RuleQuorum, says: "0 of 2"},
	{name: "closed with an act half done", before: func(d *draft) { d.Drop(transcript.Done, "switch", "") },
		want: transcript.Bad, rule: transcript.RuleOrder, says: "closed as done, but switch is not"},
	{name: "a second roster", before: func(d *draft) {
		again := d.Events[d.Find(transcript.Roster, "roster", "")]
		d.Insert(2, transcript.Roster, "roster", maps.Clone(again.Facts))
	}, want: transcript.Bad, rule: transcript.RuleRoster, says: "a second roster"},
	{name: "too many disagree", before: func(d *draft) {
		d.Verdicts = map[string]transcript.Verdict{"alice": transcript.Disagree, "bob": transcript.Disagree,
			"wendy": transcript.Disagree}
	}, want: transcript.Incomplete, rule: transcript.RuleFinals, says: "1 of 2 agree"},
	{name: "no roster, and so nobody to sign", before: func(d *draft) {
		plan := d.Events[d.Find(transcript.Plan, "approve", "")].Facts
		d.Events = d.Events[:1]
		d.Add(transcript.Plan, "approve", plan)
		d.Add(transcript.Begun, "switch", nil)
		d.Add(transcript.Done, "switch", nil)
		d.Add(transcript.Closed, "", transcript.Facts{"outcome": "done"})
	}, want: transcript.Bad, rule: transcript.RuleRoster, says: "a plan line before any roster"},
	{name: "an act before the roster", before: func(d *draft) {
		plan := d.Events[d.Find(transcript.Plan, "approve", "")].Facts
		d.Insert(1, transcript.Plan, "approve", maps.Clone(plan))
		d.Insert(2, transcript.Begun, "switch", nil)
	}, want: transcript.Bad, rule: transcript.RuleRoster, says: "a plan line before any roster"},
	{name: "attendance taken for an approval", before: func(d *draft) {
		plan := d.Events[d.Find(transcript.Plan, "approve", "")].Facts
		for _, name := range []string{"alice", "dora"} {
			d.Drop(transcript.Signed, "approve", name)
		}
		d.Drop(transcript.Gathered, "approve", "")
		d.Drop(transcript.Plan, "approve", "")
		d.Insert(2, transcript.Plan, "attend", plan)
	}, want: transcript.Bad, rule: transcript.RuleOrder, says: "step attend asks for two purposes"},
	{name: "an act that nobody approved, done", before: func(d *draft) {
		for _, name := range []string{"alice", "dora"} {
			d.Drop(transcript.Signed, "approve", name)
		}
		d.Drop(transcript.Gathered, "approve", "")
		d.Drop(transcript.Plan, "approve", "")
		d.Drop(transcript.Begun, "switch", "")
	}, want: transcript.Bad, rule: transcript.RuleOrder, says: "act switch: no plan covers it"},
	{name: "a plan replaced after the act was begun", before: func(d *draft) {
		plan := "kekceremony plan v1\nanother\n"
		d.Insert(d.Find(transcript.Done, "switch", ""), transcript.Plan, "approve",
			transcript.Facts{"plan": plan, "sha256": transcript.Digest([]byte(plan)), "acts": "switch"})
	}, want: transcript.Bad, rule: transcript.RuleQuorum, says: "0 of 2"},
	{name: "a fact in a line of another kind", before: func(d *draft) {
		d.Insert(d.Find(transcript.Closed, "", ""), transcript.Found, "x",
			transcript.Facts{"roster_sha256": transcript.NoDigest})
	}, want: transcript.Bad, rule: transcript.RuleOrder, says: "fact roster_sha256 in a found line"},
	{name: "others attended than signed", before: func(d *draft) {
		d.Events[d.Find(transcript.Gathered, "attend", "")].Facts["attended"] = "alice, bob, dora, wendy, zoe"
	}, want: transcript.Bad, rule: transcript.RuleSignatures, says: "attended: alice, bob, dora, wendy have signed"},
	{name: "a chain that is none", before: func(d *draft) { d.Events[0].Facts["chain"] = "" },
		want: transcript.Bad, rule: transcript.RuleLog, says: `line 1: chain "": want 32 lower-case hex characters`},
	{name: "bound without a version that it makes", before: func(d *draft) { d.Events[0].Facts["bound"] = "yes" },
		want: transcript.Bad, rule: transcript.RuleLog,
		says: `line 1: bound "yes": want yes, of a ceremony that makes a version`},
	{name: "bound in a word of its own", before: func(d *draft) {
		d.Events[0].Facts["kind"], d.Events[0].Facts["bound"] = "install", "no"
	}, want: transcript.Bad, rule: transcript.RuleLog,
		says: `line 1: bound "no": want yes, of a ceremony that makes a version`},
	{name: "an outcome of its own", before: func(d *draft) {
		d.Drop(transcript.Done, "switch", "")
		d.Events[d.Find(transcript.Closed, "", "")].Facts["outcome"] = "Done"
	}, want: transcript.Bad, rule: transcript.RuleOrder, says: "closed with outcome"},
	{name: "a final of somebody who did not attend", before: func(d *draft) {
		d.Drop(transcript.Signed, "attend", "bob")
		d.Events[d.Find(transcript.Gathered, "attend", "")].Facts["attended"] = "alice, dora, wendy"
	}, after: func(d *draft) { addFinal(d, "bob") },
		want: transcript.Bad, rule: transcript.RuleFinals, says: "bob did not attend"},
	{name: "only witnesses agree", before: func(d *draft) {
		d.Verdicts = map[string]transcript.Verdict{"alice": transcript.Disagree, "bob": transcript.Disagree,
			"dora": transcript.Disagree}
	}, want: transcript.Incomplete, rule: transcript.RuleFinals, says: "0 of 2 agree"},
	{name: "a line feed in a fact of one line", after: replace(`"Vault 3"`, `"Vault\n3"`),
		want: transcript.Bad, rule: transcript.RuleLog, says: "fact place: byte 0x0a"},
	{name: "a name that is not ASCII", after: replace(`"place":"Vault 3"`, `"pl\u009bce":"Vault 3"`),
		want: transcript.Bad, rule: transcript.RuleLog, says: "fact pl"},
	{name: "another verdict than was signed", after: func(d *draft) {
		d.Files["final.alice.txt"] = bytes.Replace(d.Files["final.alice.txt"], []byte("followed"), []byte("disagree"), 1)
	}, want: transcript.Bad, rule: transcript.RuleFinals},
	{name: "S05 one key on two lines of the roster", before: repeatKey, after: func(d *draft) {
		putFinal(d, d.Person("zoe"), transcript.Followed)
	}, want: transcript.Bad, rule: transcript.RuleRoster, says: "the key of zoe is also the key of alice"},
	{name: "a witness whose comment says approve", before: func(d *draft) {
		facts := d.Events[d.Find(transcript.Roster, "roster", "")].Facts
		facts["roster"] = strings.TrimSuffix(facts["roster"], "\n") + ` wendy namespaces="approve-v1@kekceremony"` + "\n"
		facts["roster_sha256"] = transcript.Digest([]byte(facts["roster"]))
		d.Verdicts = map[string]transcript.Verdict{"alice": transcript.Disagree, "bob": transcript.Disagree}
	}, want: transcript.Incomplete, rule: transcript.RuleFinals, says: "1 of 2 agree"},
	{name: "a final a second time, with a number", before: func(d *draft) {
		d.Verdicts = map[string]transcript.Verdict{"bob": transcript.Disagree, "dora": transcript.Disagree}
	}, after: func(d *draft) {
		d.Files["0011-final.alice.txt"] = d.Files["final.alice.txt"]
		d.Files["0011-final.alice.txt.sig"] = d.Files["final.alice.txt.sig"]
	}, want: transcript.Bad, rule: transcript.RuleFiles, says: "0011-final.alice.txt: the log knows no such file"},
	{name: "a verdict of its own", after: func(d *draft) { putFinal(d, d.Person("alice"), "agree") },
		want: transcript.Bad, rule: transcript.RuleFinals, says: "not the final of alice"},
	{name: "an end that hides a deviation", before: func(d *draft) {
		d.Insert(d.Find(transcript.Closed, "", ""), transcript.Deviation, "leaving", transcript.Facts{"what": "x"})
	}, after: func(d *draft) {
		d.Finals(bytes.Replace(d.Files[transcript.CoreFile], []byte("deviations: 1"), []byte("deviations: 0"), 1))
	}, want: transcript.Bad, rule: transcript.RuleFinals, says: "it does not follow from"},
}

// repeatKey makes one person two: zoe has the key of alice, and nobody else agrees.
func repeatKey(d *draft) {
	zoe := d.Person("alice")
	zoe.Name = "zoe"
	d.People, d.Refused = append(d.People, zoe), true
	roster := d.Events[d.Find(transcript.Roster, "roster", "")].Facts
	roster["roster"] += zoe.Line(d.Mode)
	roster["roster_sha256"] = transcript.Digest([]byte(roster["roster"]))
	d.Events[d.Find(transcript.Asked, "attend", "")].Facts["nonce.zoe"] = "z1"
	gathered := d.Find(transcript.Gathered, "attend", "")
	d.Events[gathered].Facts["attended"] += ", zoe"
	d.Insert(gathered, transcript.Signed, "attend", transcript.Facts{"signer": "zoe"})
	d.Events[d.Find(transcript.Signed, "approve", "dora")].Facts["signer"] = "zoe"
	d.Verdicts = map[string]transcript.Verdict{"bob": transcript.Disagree, "dora": transcript.Disagree}
}

// putFinal has somebody sign the end, whatever the roster says.
func putFinal(d *draft, p transcripttest.Person, v transcript.Verdict) {
	m := quorum.Member{Name: p.Name, Key: p.Signer.PublicKey()}
	text := transcript.FinalStatement(d.Files[transcript.CoreFile], m, transcript.Final{Verdict: v})
	d.Files[transcript.FinalFile(p.Name)] = text
	d.Files[transcript.FinalFile(p.Name)+".sig"] = p.Sign(d.T, d.Mode.Namespace(quorum.Final), text)
}

func init() { attacks = append(attacks, newest...) }

// newest are what logs of the newest format must not do. An honest one of v1 may.
var newest = []attack{
	{name: "V2 a first line without its script", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "opened line without script_sha256", newest: true,
		before: func(d *draft) { delete(d.Events[0].Facts, "script_sha256") }},
	{name: "V2 attendance without the last final digest", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "asked line without last_final", newest: true,
		before: func(d *draft) { delete(d.Events[d.Find(transcript.Asked, "attend", "")].Facts, "last_final") }},
	{name: "V2 a request without a nonce", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "asked line without nonce.bob", newest: true,
		before: func(d *draft) { delete(d.Events[d.Find(transcript.Asked, "attend", "")].Facts, "nonce.bob") }},
	{name: "V2 a nonce for a stranger", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "a nonce for somebody who is not on the roster", newest: true,
		before: func(d *draft) { d.Events[d.Find(transcript.Asked, "attend", "")].Facts["nonce.mallory"] = "m1" }},
	{name: "V2 others approved than signed", want: transcript.Bad, rule: transcript.RuleSignatures,
		says: "approve_signed: alice, dora have signed", newest: true,
		before: func(d *draft) {
			d.Events[d.Find(transcript.Gathered, "approve", "")].Facts["approve_signed"] = "alice, bob, dora"
		}},
	{name: "V2 a re-wrap whose counts do not add up", want: transcript.Bad, rule: transcript.RuleOrder,
		says: `scanned is "11", and its parts are 10`, newest: true,
		before: func(d *draft) { d.Events[d.Find(transcript.Done, "re-wrap", "")].Facts["scanned"] = "11" }},
	{name: "V2 a deviation without its reason", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "deviation line without decided", newest: true,
		before: func(d *draft) {
			d.Insert(9, transcript.Deviation, "place", transcript.Facts{"what": "w", "expected": "e", "seen": "s", "by": "b"})
		}},
	{name: "V2 closed as done with an act undone", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "closed as done, but retire is not", newest: true,
		before: func(d *draft) { d.Drop(transcript.Begun, "retire", ""); d.Drop(transcript.Done, "retire", "") }},
	{name: "V2 a compromise that was not done", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "closed as done, but compromise is not", newest: true,
		before: func(d *draft) {
			d.Events[0].Facts["kind"], d.Events[0].Facts["version"] = transcript.KindCompromise, "1"
		}},
	{name: "V2 a rotation without the list that it announced", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "there is no list of what version 9 exposed", newest: true,
		before: func(d *draft) {
			d.Events[0].Facts["compromised"] = "1 9"
			d.Events[d.Find(transcript.Done, "re-wrap", "")].Facts["exposed_1_sha256"] = strings.Repeat("0", 64)
		}},
	{name: "a disable of a version that the plan does not name", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "version 1 was disabled, and the plan does not name it", newest: true,
		before: disables("version: 11\nwait: 720h0m0s\n")},
	{name: "a disable without a waiting period", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "version 1 was disabled, and the plan has no waiting period", newest: true, before: disables("version: 1\n")},
	{name: "a disable that waits for nothing", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "version 1 was disabled, and the plan has no waiting period", newest: true,
		before: disables("version: 1\nwait: 0s\nwait: 720h0m0s\n")},
	{name: "a disable with a waiting period in days", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "version 1 was disabled, and the plan has no waiting period", newest: true,
		before: disables("version: 1\nwait: 30 days\n")},
	{name: "an enable that was not done", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "closed as done, but enable is not", newest: true,
		before: func(d *draft) { d.Events[0].Facts["kind"], d.Events[0].Facts["version"] = transcript.KindEnable, "1" }},
	{name: "an abort of a destruction that was begun", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "aborted, but the destruction of a key was begun", newest: true, before: stopped("attempt")},
	{name: "a key kept by fewer than M", want: transcript.Bad, rule: transcript.RuleQuorum,
		says: "a key was kept before 2 approved it", newest: true, before: keptBy("alice")},
	{name: "a destruction after M kept the key", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "a key is destroyed after 2 approved that it is kept", newest: true,
		before: keptAndThen(transcript.Noted, transcript.Facts{"attempt": "of version 1"})},
	{name: "V2 an abort that does not name the acts", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "closed line without begun", newest: true,
		before: func(d *draft) {
			d.Events[d.Find(transcript.Closed, "", "")].Facts = transcript.Facts{"outcome": "aborted",
				"done": "re-wrap, retire, switch"}
		}},
	{name: "V2 a format of its own", want: transcript.Bad, rule: transcript.RuleLog,
		says: `format "kekceremony transcript v3"`, newest: true,
		before: func(d *draft) { d.Events[0].Facts["format"] = "kekceremony transcript v3" }},
	// Of what was given up.
	{name: "void, a rotation", want: transcript.Bad, rule: transcript.RuleOrder, void: true,
		says:   "closed as void, and it is not the first ceremony of a chain",
		before: func(d *draft) { d.Events[0].Facts["kind"] = "rotate" }},
	{name: "void, the second ceremony", want: transcript.Bad, rule: transcript.RuleOrder, void: true,
		says:   "closed as void, and it is not the first ceremony of a chain",
		before: func(d *draft) { d.Events[0].Facts["ceremony"] = "2" }},
	{name: "void, and a key was made", want: transcript.Bad, rule: transcript.RuleOrder, void: true,
		says: "closed as void, but done is generate", before: generated},
	{name: "void, and nobody says why", want: transcript.Bad, rule: transcript.RuleOrder, void: true,
		says:   "closed as void, and nobody says who gave it up and why",
		before: func(d *draft) { d.Events[d.Find(transcript.Answered, "void", "")].Facts["reason"] = "" }},
	{name: "void, and another step says why", want: transcript.Bad, rule: transcript.RuleOrder, void: true,
		says:   "closed as void, and nobody says who gave it up and why",
		before: func(d *draft) { d.Events[d.Find(transcript.Answered, "void", "")].Step = "place" }},
	{name: "void, by one of two", want: transcript.Bad, rule: transcript.RuleQuorum, void: true,
		says: "closed as void before 2 attended for it",
		before: func(d *draft) {
			d.Drop(transcript.Signed, "attend", "bob")
			d.Drop(transcript.Gathered, "attend", "")
		}},
	{name: "void, by those who attended an earlier run", want: transcript.Bad, rule: transcript.RuleQuorum, void: true,
		says:   "closed as void before 2 attended for it",
		before: func(d *draft) { d.Insert(d.Find(transcript.Answered, "void", ""), transcript.Resumed, "", nil) }},
	{name: "void, and other acts begun", want: transcript.Bad, rule: transcript.RuleOrder, void: true,
		says:   "closed as void, but begun is not generate",
		before: func(d *draft) { d.Events[d.Find(transcript.Closed, "", "")].Facts["begun"] = "generate" }},
	{name: "void, and signed by one", want: transcript.Incomplete, rule: transcript.RuleFinals, void: true,
		says: "1 of 2 have signed",
		after: func(d *draft) {
			delete(d.Files, "final.bob.txt")
			delete(d.Files, "final.bob.txt.sig")
		}},
	{name: "void, and signed by nobody", want: transcript.Incomplete, rule: transcript.RuleFinals, void: true,
		says: "final.txt is missing",
		after: func(d *draft) {
			maps.DeleteFunc(d.Files, func(name string, _ []byte) bool { return strings.HasPrefix(name, "final.") })
		}},
	{name: "void without its note", want: transcript.Incomplete, rule: transcript.RuleFinals, void: true,
		says: "void.txt is missing", after: func(d *draft) { delete(d.Files, "void.txt") }},
	{name: "void with another note", want: transcript.Bad, rule: transcript.RuleFinals, void: true,
		says: "void.txt: it does not follow from events.jsonl",
		after: func(d *draft) {
			d.Files["void.txt"] = bytes.Replace(d.Files["void.txt"], []byte("lost"), []byte("weak"), 1)
		}},
	{name: "a note that it is void", want: transcript.Bad, rule: transcript.RuleFiles,
		says: "void.txt: the log knows no such file", after: func(d *draft) { d.Files["void.txt"] = []byte("void\n") }},
	{name: "who gave it up in a found line", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "fact operator in a found line", before: func(d *draft) {
			d.Insert(5, transcript.Found, "probe", transcript.Facts{"operator": "alice"})
		}},
	// These hold in each format.
	{name: "a version that another act adopts", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "version 9 was adopted, and the plan does not name it", before: func(d *draft) {
			d.Events[d.Find(transcript.Done, "switch", "")].Facts["adopted_9"] = "0a09 planted"
		}},
	{name: "a version adopted that the plan does not name", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "version 9 was adopted, and the plan does not name it", before: func(d *draft) {
			for i := range d.Events {
				if d.Events[i].Step == "switch" {
					d.Events[i].Step = "adopt"
				}
			}
			plan := d.Events[d.Find(transcript.Plan, "approve", "")].Facts
			plan["plan"] += "key: 1 id 0a01 old\n"
			plan["sha256"], plan["acts"] = transcript.Digest([]byte(plan["plan"])), "adopt"
			done := d.Events[d.Find(transcript.Done, "adopt", "")].Facts
			done["adopted_1"], done["adopted_9"] = "0a01 old", "0a09 planted"
		}},
	{name: "a canary of what was not adopted", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "a canary of version 9, which was not adopted", before: func(d *draft) {
			d.Events[0].Facts["kind"] = "adopt"
			d.Events[d.Find(transcript.Done, "switch", "")].Facts["canary_9_sha256"] = strings.Repeat("9", 64)
		}},
	{name: "an abort that names other acts", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "closed as aborted, but done is not none",
		before: func(d *draft) {
			d.Events[d.Find(transcript.Closed, "", "")].Facts = transcript.Facts{"outcome": "aborted", "done": "none",
				"begun": "none"}
		}},
	{name: "attendance after another final", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "people attend after the final digest ffff",
		before: func(d *draft) {
			d.Events[d.Find(transcript.Asked, "attend", "")].Facts["last_final"] = strings.Repeat("f", 64)
		}},
	{name: "attended in an approval", want: transcript.Bad, rule: transcript.RuleOrder,
		says: "it gathered no attendance",
		before: func(d *draft) {
			d.Events[d.Find(transcript.Gathered, "approve", "")].Facts["attended"] = "alice, bob, dora, mallory, wendy"
		}},
	{name: "a line of 1969", want: transcript.Bad, rule: transcript.RuleLog, says: `time "1969-12-31T23:59:59Z"`,
		before: func(d *draft) { d.Events[1].Time = "1969-12-31T23:59:59Z" }},
	{name: "a prev that is no digest", want: transcript.Bad, rule: transcript.RuleLog, says: "want a SHA-256 in hex",
		before: func(d *draft) { d.Prev = "none" }},
	{name: "an emptied log beside final.txt", want: transcript.Bad, rule: transcript.RuleLog,
		says: "no line, and there is", after: edit(func([]byte) []byte { return nil })},
	{name: "a signature without its final hides a file that nothing names", want: transcript.Bad,
		rule: transcript.RuleFiles, says: "the log knows no such file",
		after: func(d *draft) { delete(d.Files, "final.bob.txt"); d.Files["x"] = []byte("x") }},
}

// addFinal has somebody sign the end.
func addFinal(d *draft, name string) {
	r, err := quorum.ParseRoster([]byte(transcripttest.Fold(d.Events)["roster"]), d.Mode)
	if err != nil {
		d.T.Fatal(err)
	}
	m, _ := r.Member(name)
	text := transcript.FinalStatement(d.Files[transcript.CoreFile], m,
		transcript.Final{Verdict: transcript.Followed})
	d.Files[transcript.FinalFile(name)] = text
	d.Files[transcript.FinalFile(name)+".sig"] = d.Person(name).Sign(d.T, d.Mode.Namespace(quorum.Final), text)
}

// demand puts other first lines before the roster's people.
func demand(d *draft, head string) {
	facts := d.Events[d.Find(transcript.Roster, "roster", "")].Facts
	facts["roster"] = strings.Replace(facts["roster"], "# quorum: 2\n", head, 1)
	facts["roster_sha256"] = transcript.Digest([]byte(facts["roster"]))
}

// valid bounds alice's key in time.
func valid(d *draft, option string) {
	facts := d.Events[d.Find(transcript.Roster, "roster", "")].Facts
	facts["roster"] = strings.Replace(facts["roster"], `" ssh-ed25519`, `",`+option+` ssh-ed25519`, 1)
	facts["roster_sha256"] = transcript.Digest([]byte(facts["roster"]))
}

// restate has alice sign her approval's text changed.
func restate(d *draft, change func(string) string) {
	d.Build()
	e := d.Events[d.Find(transcript.Signed, "approve", "alice")]
	e.Facts["forge.statement"] = change(e.Facts["statement"])
}

func made(t testing.TB, a attack) *draft {
	d := transcripttest.Rotation(t)
	if a.newest {
		d = transcripttest.Newest(t)
	}
	if a.void {
		d = transcripttest.GivenUp(t, true)
	}
	if a.before != nil {
		a.before(d)
	}
	d.Build()
	if a.after != nil {
		a.after(d)
	}
	return d
}

// generated puts a key into an install that is given up.
func generated(d *draft) {
	plan := "kekceremony plan v1\nkind: install\neffect: 1 generate: version 1; undo: destroy the key\n"
	at := d.Find(transcript.Answered, "void", "")
	for _, e := range []struct {
		kind  transcript.Kind
		step  string
		facts transcript.Facts
	}{
		{transcript.Plan, "approve", transcript.Facts{"plan": plan, "sha256": transcript.Digest([]byte(plan)),
			"acts": "generate"}},
		{transcript.Signed, "approve", transcript.Facts{"signer": "alice"}},
		{transcript.Signed, "approve", transcript.Facts{"signer": "bob"}},
		{transcript.Gathered, "approve", transcript.Facts{"approve_signed": "alice, bob"}},
		{transcript.Begun, "generate", nil},
		{transcript.Done, "generate", transcript.Facts{"key_label": "kek-1"}},
	} {
		d.Insert(at, e.kind, e.step, e.facts)
		at++
	}
	d.Events[d.Find(transcript.Closed, "", "")].Facts["done"] = "generate"
}

// TestVoid: an install that was given up is neither good nor bad, also with an act that was
// begun and made nothing, and with those who signed it and disagree.
func TestVoid(t *testing.T) {
	for name, d := range givenUp(t) {
		r, err := transcript.Verify(d.Write(t.TempDir()))
		if !errors.Is(err, transcript.ErrVoid) || transcript.StandingOf(err) != transcript.Void {
			t.Errorf("%s: %v", name, err)
		}
		for _, j := range r.Judgements {
			if j.Standing != transcript.Good {
				t.Errorf("%s: rule %s is %s", name, j.Rule, j.Standing)
			}
		}
		if err := transcript.VerifyChain([]transcript.Report{r}); !errors.Is(err, transcript.ErrIncomplete) {
			t.Errorf("%s: as a chain: %v", name, err)
		}
	}
}

// givenUp are drafts that are void.
func givenUp(t testing.TB) map[string]*draft {
	begun := transcripttest.GivenUp(t, true)
	generated(begun)
	begun.Drop(transcript.Done, "generate", "")
	maps.Copy(begun.Events[begun.Find(transcript.Closed, "", "")].Facts,
		transcript.Facts{"done": "none", "begun": "generate"})
	unopened := transcripttest.GivenUp(t, false)
	unopened.Drop(transcript.Asked, "attend", "")
	unopened.Drop(transcript.Roster, "roster", "")
	disagree := transcripttest.GivenUp(t, true)
	disagree.Verdicts = map[string]transcript.Verdict{"alice": transcript.Disagree, "bob": transcript.Disagree}
	all := map[string]*draft{"alone": transcripttest.GivenUp(t, false), "signed": transcripttest.GivenUp(t, true),
		"begun": begun, "before-its-roster": unopened, "disagree": disagree}
	for _, d := range all {
		d.Build()
	}
	return all
}

func TestGood(t *testing.T) {
	if _, err := transcript.Verify(transcripttest.Newest(t).Build().Write(t.TempDir())); err != nil {
		t.Errorf("the newest format: %v", err)
	}
	r, err := transcript.Verify(transcripttest.Rotation(t).Build().Write(t.TempDir()))
	if err != nil || len(r.Finals) != 4 || r.FinalSum == "" {
		t.Errorf("%v, %d finals", err, len(r.Finals))
	}
	for _, j := range r.Judgements {
		if j.Standing != transcript.Good {
			t.Errorf("rule %s is %s", j.Rule, j.Standing)
		}
	}
}

// TestAttacks: every case breaks its own rule, by name.
func TestAttacks(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			r, err := transcript.Verify(made(t, a).Write(t.TempDir()))
			if err == nil {
				t.Fatal("it passed")
			}
			var broken transcript.Rule
			for _, j := range r.Judgements {
				if j.Standing != transcript.Good && j.Standing != transcript.Unjudged {
					broken = j.Rule
				}
			}
			if got := transcript.StandingOf(err); got != a.want || broken != a.rule || !strings.Contains(err.Error(), a.says) {
				t.Errorf("%s by rule %s: %v\nwant %s by %s: %s", got, broken, err, a.want, a.rule, a.says)
			}
			if len(err.Error()) > 2000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// TestVerified: with the user verified, and a counter that stays 0 as some
// authenticators have it, the same bundle is good.
func TestVerified(t *testing.T) {
	d := transcripttest.Rotation(t)
	demand(d, "# quorum: 2\n# user-verification: required\n")
	a := d.Person("dora").Signer.(*transcripttest.Authenticator)
	a.Flags, a.Step = 5, 0
	if _, err := transcript.Verify(d.Build().Write(t.TempDir())); err != nil {
		t.Error(err)
	}
}
