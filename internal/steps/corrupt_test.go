package steps_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// attempt is one thing that carol tries.
type attempt struct {
	name string
	does func(c *corrupt)
	told witness
	ends error // what the honest people end with; nil: any
}

// witness is what reveals an attempt.
type witness int

const (
	byAudit   witness = iota // an error of the audit, as long as anything is not as it happened
	byPaper                  // what she presents is a true beginning: only the last final digest on paper tells
	byName                   // nobody who could have signed the end is hidden: the report names who has not
	byNobody                 // she hides runs of an unfinished ceremony of which nothing followed; no line is false
	bySigners                // the line allows nothing new, and those who sign the end are told of copied lines
	unseen                   // nothing that is presented changed
)

// situation is where the honest people are when carol comes, and what they do then.
type situation struct {
	name     string
	before   func(c *corrupt) error
	then     func(c *corrupt) visit
	attempts []attempt
}

// TestCorrupt: a corrupt operator has one key of three, the store, and the console's disk. She
// gets no act done that the two others did not approve over the very plan, and no audit of what
// she presents is good unless it is what happened.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	installed := newCorrupt(t)
	for _, s := range []situation{toAttend, toApprove, tokenLost, toEnd, ended, toChange, toRewrap} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			c := installed.copied(t)
			var waiting *engine.WaitingError
			if err := s.before(c); err != nil && !errors.As(err, &waiting) {
				t.Fatal(err)
			}
			for _, a := range append(s.attempts, attempt{name: "nothing", does: func(*corrupt) {}, told: unseen}) {
				t.Run(a.name, func(t *testing.T) {
					t.Parallel()
					c := c.copied(t)
					a.does(c)
					a.judge(c, "before the honest people continue")
					err := c.run(s.then(c))
					t.Logf("the honest people: %v", err)
					if a.name == "nothing" && err != nil {
						t.Error(err)
					}
					a.judge(c, "after it")
					if a.told == byPaper { // the next one that the console offers
						if err := c.run(c.generate(2)); !errors.Is(err, errPaper) {
							t.Errorf("people attend after another final digest than their paper's: %v", err)
						}
					}
					if a.ends != nil && !errors.Is(err, a.ends) {
						t.Errorf("the honest people ended with %v", err)
					}
					if found, _ := c.audit(c.paper); a.name == "nothing" && len(found) > 0 {
						t.Error(found)
					}
				})
			}
		})
	}
}

// judge audits what she presents now.
func (a attempt) judge(c *corrupt, when string) {
	c.t.Helper()
	lies, gone := c.lies()
	found, without := c.audit()
	slices.Sort(lies)
	c.t.Logf("%s: %d lies, %d gone; found %v", when, len(lies), len(gone), found)
	before := strings.HasPrefix(when, "before")
	switch {
	case len(lies)+len(gone) == 0:
		if before && a.told != unseen {
			c.t.Errorf("%s: nothing is false", when)
		}
	case len(found) > 0:
	case a.told == byPaper:
		if found, _ := c.audit(c.paper); len(found) == 0 {
			c.t.Errorf("%s: the last final digest does not tell of %v", when, gone)
		}
	case a.told == byName && len(without) > 0:
	case a.told == byNobody && len(lies) == 0:
	case a.told == bySigners && len(gone) == 0 && len(c.liesOfKeys(c.db)) == 0:
	default:
		c.t.Errorf("%s: the audit is good, and these are false: %v; missing: %v", when, lies, gone)
	}
}

func (c *corrupt) generate(v kek.Version) visit {
	return visit{kind: transcript.KindGenerate, make: steps.Generate(v)}
}

// until begins the making of version 2, until somebody must sign for a purpose.
func (c *corrupt) until(p quorum.Purpose, carol bool) error {
	v := c.generate(2)
	v.carol, v.until = carol, func(r engine.Request) bool { return r.Purpose == p }
	return c.run(v)
}

func facts(pairs ...string) transcript.Facts {
	f := transcript.Facts{}
	for i := 0; i < len(pairs); i += 2 {
		f[pairs[i]] = pairs[i+1]
	}
	return f
}

var toAttend = situation{"nobody has attended yet",
	func(c *corrupt) error { return c.until(quorum.Attend, false) },
	func(c *corrupt) visit { return c.generate(2) },
	[]attempt{
		{name: "attends as alice and bob with her key", does: func(c *corrupt) {
			p := c.pen()
			c.sign(p, "attend", "alice")
			c.sign(p, "attend", "bob")
			p.Add(transcript.Gathered, "attend", facts("attended", "alice, bob"))
		}},
		{name: "attends twice as herself", does: func(c *corrupt) {
			p := c.pen()
			c.sign(p, "attend", "carol")
			c.sign(p, "attend", "carol")
			p.Add(transcript.Gathered, "attend", facts("attended", "carol"))
			c.toDisk()
		}},
		{name: "attends alone, and the line names all", does: func(c *corrupt) {
			p := c.pen()
			c.sign(p, "attend", "carol")
			p.Add(transcript.Gathered, "attend", facts("attended", "alice, bob, carol"))
		}},
		{name: "a roster of her own in the log, on the disk as well", does: func(c *corrupt) {
			d := keep(c.draft(2))
			roster := transcripttest.RosterOf(1, quorum.Rehearsal, c.carol)
			d.Events[d.Find(transcript.Roster, "roster", "")].Facts = facts("roster", roster, "roster_sha256",
				transcript.Digest([]byte(roster)))
			c.presents(2, d.Build(), true)
		}},
		{name: "a plan, approved by herself, before anybody attended", does: func(c *corrupt) {
			p := c.pen()
			c.sign(p, "attend", "carol")
			c.plans(p, "generate canary")
			c.sign(p, "approve-key", "carol")
			p.Add(transcript.Gathered, "approve-key", facts("approve-key_signed", "carol"))
			p.Add(transcript.Begun, "generate", nil)
		}},
		{name: "a target of her own in the first line", does: func(c *corrupt) {
			d := c.draft(2)
			d.Events[0].Facts["to"] = "7"
			c.presents(2, d.Build(), true)
		}},
		{name: "a final digest of her own in what people sign", does: func(c *corrupt) {
			d := c.draft(2)
			d.Events[d.Find(transcript.Asked, "attend", "")].Facts["last_final"] = transcript.NoDigest
			c.presents(2, d.Build(), true)
		}},
	}}

// plans writes a plan of acts.
func (c *corrupt) plans(p *transcripttest.Pen, acts string) {
	plan := "kekceremony plan v1\nkind: generate\n"
	p.Add(transcript.Plan, "approve-key", facts("plan", plan, "sha256", transcript.Digest([]byte(plan)), "acts", acts))
}

var toApprove = situation{"two have attended, nobody has approved",
	func(c *corrupt) error { return c.until(quorum.Approve, false) },
	func(c *corrupt) visit { return c.generate(2) },
	[]attempt{
		{name: "approves twice as herself", does: func(c *corrupt) {
			p := c.pen()
			c.sign(p, "approve-key", "carol")
			c.sign(p, "approve-key", "carol")
			p.Add(transcript.Begun, "generate", nil)
		}},
		{name: "approves as alice and as bob, on the disk as well", does: func(c *corrupt) {
			p := c.pen()
			c.sign(p, "approve-key", "alice")
			c.sign(p, "approve-key", "bob")
			p.Add(transcript.Gathered, "approve-key", facts("approve-key_signed", "alice, bob"))
			c.toDisk()
		}},
		{name: "approvals of the install, replayed", does: func(c *corrupt) {
			p := c.pen()
			for _, e := range c.draft(1).Events {
				if e.Kind == transcript.Signed && e.Step == "approve" {
					p.Add(transcript.Signed, "approve-key", e.Facts)
				}
			}
			p.Add(transcript.Begun, "generate", nil)
		}},
		{name: "attendance, taken for approval", does: func(c *corrupt) {
			p := c.pen()
			for _, e := range p.Events {
				if e.Kind == transcript.Signed {
					p.Add(transcript.Signed, "approve-key", e.Facts)
				}
			}
		}},
		{name: "done and closed, by nobody", does: func(c *corrupt) {
			c.endsAll(c.pen())
			c.toDisk()
		}},
		{name: "closed as aborted", does: func(c *corrupt) {
			c.pen().Add(transcript.Closed, "", facts("outcome", "aborted", "done", "none", "begun", "none"))
			c.toDisk()
		}},
		{name: "signatures of hers beside the statements", does: func(c *corrupt) {
			dir := c.bundle(2) + ".signing"
			list, _ := filepath.Glob(filepath.Join(dir, "*.txt"))
			for _, path := range list {
				text, err := os.ReadFile(path)
				if err != nil {
					c.t.Fatal(err)
				}
				sig := c.carol.Sign(c.t, quorum.Rehearsal.Namespace(quorum.Approve), text)
				if err := os.WriteFile(path+".sig", sig, 0o600); err != nil {
					c.t.Fatal(err)
				}
			}
			if len(list) < 2 {
				c.t.Errorf("statements %v", list)
			}
		}, told: unseen},
		{name: "cut back to before the attendance, as if it never was", does: func(c *corrupt) {
			d := c.draft(2)
			d.Events = d.Events[:d.Find(transcript.Asked, "attend", "")]
			c.presents(2, d.Build(), true)
		}, told: byNobody},
		{name: "what the store accepted is forgotten, and the last lines are gone there", does: func(c *corrupt) {
			c.exec("DELETE FROM kek_events WHERE ceremony = 2 AND name >= '000006' AND name < 'a'")
			if err := os.Remove(c.beside(2, "answered")); err != nil {
				c.t.Fatal(err)
			}
		}},
		{name: "a line that people wait", does: func(c *corrupt) {
			c.pen().Add(transcript.Waiting, "approve-key", facts("for", "alice, bob", "have", "0", "need", "2"))
		}, told: bySigners},
		{name: "answers that nobody gave", does: func(c *corrupt) {
			c.pen().Add(transcript.Answered, "copies", facts("copies", "12 copies", "planned_end", "never"))
		}},
		{name: "answers that nobody gave, on the disk as well", does: func(c *corrupt) {
			c.pen().Add(transcript.Answered, "leaving", facts("differed", "none"))
			c.toDisk()
		}, told: bySigners, ends: errAnswers},
		{name: "a deviation that nobody decided", does: func(c *corrupt) {
			c.pen().Add(transcript.Deviation, "probe", facts("what", "iv", "expected", "module", "seen", "host",
				"decided", "it is harmless", "by", "alice"))
		}},
	}}

// endsAll writes that the version was made, with a canary that she draws, and the end.
func (c *corrupt) endsAll(p *transcripttest.Pen) {
	n := kek.NameOf(c.did.lock.Chain, 2)
	sum := strings.Repeat("0", 64)
	if !slices.ContainsFunc(p.Events, func(e transcript.Event) bool { return e.Kind == transcript.Begun }) {
		p.Add(transcript.Begun, "generate", nil)
	}
	p.Add(transcript.Done, "generate", facts("key_label", n.Label, "key_id", n.HexID()))
	p.Add(transcript.Begun, "canary", nil)
	p.Add(transcript.Done, "canary", facts(transcript.FactCanary(2), sum))
	p.Add(transcript.Answered, "copies", facts("copies", "none", "planned_end", "n/a: a test"))
	p.Add(transcript.Answered, "leaving", facts("differed", "none"))
	p.Add(transcript.Closed, "", facts("outcome", "done"))
	c.exec(`INSERT INTO kek_versions SELECT 2, provider, state, ?, ?, canary_wrapped, ?, 2, created, bound
		FROM kek_versions WHERE id = 1`, n.Label, n.HexID(), sum)
}

var tokenLost = situation{"two have approved, and the token was lost before the key was made",
	func(c *corrupt) error {
		v := c.generate(2)
		v.parts = func(s *engine.Parts) {
			open := s.OpenProvider
			s.OpenProvider = func(ctx context.Context, known func(map[string]string) error) (provider.Provider, error) {
				p, err := open(ctx, known)
				return notMaking{p}, err
			}
		}
		if err := c.run(v); !errors.Is(err, provider.ErrGone) {
			return fmt.Errorf("the token was not lost: %w", err)
		}
		return nil
	},
	func(c *corrupt) visit { return c.generate(2) },
	[]attempt{
		{name: "done and closed, in the store", does: func(c *corrupt) { c.endsAll(c.pen()) }},
		{name: "done and closed, on the disk as well", does: func(c *corrupt) {
			c.endsAll(c.pen())
			c.toDisk()
		}},
		{name: "done and closed, and .copied taken away when the console had copied it",
			does: func(c *corrupt) {
				c.endsAll(c.pen())
				if err := c.run(c.generate(2)); err == nil {
					c.t.Error("people signed that a key was made")
				}
				if err := os.Remove(c.beside(2, "copied")); err != nil {
					c.t.Fatal(err)
				}
			}},
		{name: "aborted", does: func(c *corrupt) {
			c.pen().Add(transcript.Closed, "", facts("outcome", "aborted", "done", "none", "begun", "generate"))
			c.toDisk()
		}},
	}}

var toEnd = situation{"three have attended, all is done, nobody has signed the end",
	func(c *corrupt) error { return c.until(quorum.Final, true) },
	func(c *corrupt) visit { return c.generate(2) },
	[]attempt{
		{name: "her final, and once more as bob's", does: func(c *corrupt) {
			d := keep(c.draft(2)).Build()
			delete(d.Files, "final.alice.txt")
			delete(d.Files, "final.alice.txt.sig")
			c.presents(2, d, true)
		}},
		{name: "her final, and once more under bob's name", does: func(c *corrupt) {
			d := keep(c.draft(2)).Build()
			for _, name := range []string{"alice", "bob"} {
				d.Files["final."+name+".txt"] = d.Files["final.carol.txt"]
				d.Files["final."+name+".txt.sig"] = d.Files["final.carol.txt.sig"]
			}
			c.presents(2, d, true)
		}},
		{name: "another canary, and her final", does: func(c *corrupt) {
			d := keep(c.draft(2))
			d.Events[d.Find(transcript.Done, "canary", "")].Facts[transcript.FactCanary(2)] = strings.Repeat("1", 64)
			c.exec("UPDATE kek_versions SET canary_sha256 = ? WHERE id = 2", strings.Repeat("1", 64))
			c.presents(2, d.Build(), true)
		}},
		{name: "aborted in the place of done", does: func(c *corrupt) {
			d := keep(c.draft(2))
			d.Events[len(d.Events)-1].Facts = facts("outcome", "aborted")
			d = d.Build()
			for _, name := range []string{"alice", "bob", "carol"} {
				delete(d.Files, "final."+name+".txt")
				delete(d.Files, "final."+name+".txt.sig")
			}
			c.presents(2, d, true)
		}},
		{name: "the pointer moved to the new version", does: func(c *corrupt) {
			c.exec("UPDATE kek_active SET version = 2")
		}},
		{name: "what the end says is looked at again, forgotten", does: func(c *corrupt) {
			if err := os.Remove(c.beside(2, "answered")); err != nil {
				c.t.Fatal(err)
			}
		}, told: unseen},
	}}

var ended = situation{"version 2 was made; bob disagrees with the end",
	func(c *corrupt) error {
		v := c.generate(2)
		v.carol, v.says = true, map[string]transcript.Verdict{"bob": transcript.Disagree}
		return c.run(v)
	},
	func(c *corrupt) visit { return c.generate(3) },
	slices.Concat(rebuilt, taken, edited2)}

// rebuilt are attempts to write ceremonies again, with her signatures alone.
var rebuilt = []attempt{
	{name: "ceremony 2 again, all signed with her key", does: func(c *corrupt) {
		c.presents(2, c.draft(2).Build(), true)
	}},
	{name: "ceremony 2 again, another place, the old signatures", does: func(c *corrupt) {
		d := keep(c.draft(2))
		d.Events[d.Find(transcript.Answered, "place", "")].Facts["place"] = "Vault 7"
		c.presents(2, d.Build(), true)
	}},
	{name: "ceremony 2 again, with her roster, and the lock's", does: func(c *corrupt) {
		d := c.draft(2)
		roster := strings.Replace(d.Events[1].Facts["roster"], "# quorum: 2", "# quorum: 1", 1)
		d.Events[d.Find(transcript.Roster, "roster", "")].Facts = facts("roster", roster, "roster_sha256",
			transcript.Digest([]byte(roster)))
		c.exec("UPDATE kek_install SET roster = ?", transcript.Digest([]byte(roster)))
		c.presents(2, d.Build(), true)
	}},
	{name: "the whole chain again, from her own install", does: func(c *corrupt) {
		first := c.draft(1).Build()
		c.presents(1, first, true)
		second := c.draft(2)
		second.Prev = transcript.Digest(first.Files[transcript.CoreFile])
		for name := range second.Events[0].Facts {
			if file, ok := strings.CutPrefix(name, "previous."); ok {
				second.Events[0].Facts[name] = transcript.Digest(first.Files[file])
			}
		}
		c.presents(2, second.Build(), true)
	}},
	{name: "her own install with a roster of her own, alone", does: func(c *corrupt) {
		d := c.draft(1)
		roster := transcripttest.RosterOf(1, quorum.Rehearsal, c.carol)
		d.Events[d.Find(transcript.Roster, "roster", "")].Facts = facts("roster", roster, "roster_sha256",
			transcript.Digest([]byte(roster)))
		signed := map[string]bool{}
		d.Events = slices.DeleteFunc(d.Events, func(e transcript.Event) bool {
			again := e.Kind == transcript.Signed && signed[e.Step]
			signed[e.Step] = signed[e.Step] || e.Kind == transcript.Signed
			return again
		})
		for i, e := range d.Events {
			switch e.Kind {
			case transcript.Signed:
				d.Events[i].Facts = facts("signer", "carol")
			case transcript.Asked:
				delete(e.Facts, "nonce.alice")
				delete(e.Facts, "nonce.bob")
			case transcript.Gathered:
				for name := range e.Facts {
					e.Facts[name] = "carol"
				}
			}
		}
		c.forgets(2)
		c.exec("UPDATE kek_install SET roster = ?", transcript.Digest([]byte(roster)))
		c.presents(1, d.Build(), true)
		if _, err := transcript.Verify(c.bundle(1)); err != nil {
			c.t.Errorf("by itself it is good: %v", err)
		}
	}},
	{name: "a ceremony 3 of her own", does: func(c *corrupt) {
		d := c.draft(2)
		d.Prev = c.paper
		d.Events[0].Facts["ceremony"] = "3"
		d.Events[0].Facts["to"] = "3"
		c.plants(3, d.Build())
	}},
	{name: "ceremony 2 once more, as a fork", does: func(c *corrupt) {
		d := c.draft(2)
		c.plants(3, d)
	}},
}

// taken are attempts to take away what was.
var taken = []attempt{
	{name: "rolled back to the install, with everything that shows ceremony 2", told: byPaper,
		does: func(c *corrupt) { c.forgets(2) }},
	{name: "rolled back in the store alone", does: func(c *corrupt) {
		c.exec("DELETE FROM kek_events WHERE ceremony = 2")
		c.exec("DELETE FROM kek_ceremonies WHERE id = 2")
		c.exec("DELETE FROM kek_versions WHERE id = 2")
	}},
	{name: "the final in which bob disagrees taken away", does: func(c *corrupt) {
		d := c.draft(2)
		delete(d.Files, "final.bob.txt")
		delete(d.Files, "final.bob.txt.sig")
		c.presents(2, d, true)
	}, told: byName},
	{name: "the final in which bob disagrees in her words", does: func(c *corrupt) {
		d := c.draft(2)
		whole := keep(c.draft(2)).Build()
		for _, file := range []string{"final.bob.txt", "final.bob.txt.sig"} {
			d.Files[file] = whole.Files[file]
		}
		c.presents(2, d, true)
	}},
	{name: "alice's final taken away", does: func(c *corrupt) {
		d := c.draft(2)
		delete(d.Files, "final.alice.txt")
		delete(d.Files, "final.alice.txt.sig")
		c.presents(2, d, true)
	}},
	{name: "a final of the install taken away", does: func(c *corrupt) {
		d := c.draft(1)
		delete(d.Files, "final.carol.txt")
		delete(d.Files, "final.carol.txt.sig")
		c.presents(1, d, true)
	}},
	{name: "ceremony 2 opened again: its end cut off", does: func(c *corrupt) {
		d := keep(c.draft(2))
		d.Events = d.Events[:d.Find(transcript.Closed, "", "")]
		c.exec("UPDATE kek_ceremonies SET outcome = '', head = '', final = '' WHERE id = 2")
		c.presents(2, d.Build(), true)
	}},
}

// edited2 are attempts at single rows and files.
var edited2 = []attempt{
	{name: "the pointer", does: func(c *corrupt) { c.exec("UPDATE kek_active SET version = 2") }},
	{name: "a version's state", does: func(c *corrupt) {
		c.exec("UPDATE kek_versions SET state = 'retired' WHERE id = 1")
	}},
	{name: "a version's canary", does: func(c *corrupt) {
		c.exec("UPDATE kek_versions SET canary_sha256 = ? WHERE id = 1", strings.Repeat("2", 64))
	}},
	{name: "a version of her own", does: func(c *corrupt) {
		c.exec(`INSERT INTO kek_versions SELECT 3, provider, state, label, key_id, canary_wrapped, canary_sha256, 2, created,
			bound FROM kek_versions WHERE id = 1`)
	}},
	{name: "the lock's roster", does: func(c *corrupt) {
		c.exec("UPDATE kek_install SET roster = ?", strings.Repeat("3", 64))
	}},
	{name: "the lock's provider", does: func(c *corrupt) { c.exec("UPDATE kek_install SET provider = 'pkcs11'") }},
	{name: "a rehearsal taken for production", does: func(c *corrupt) {
		c.exec("UPDATE kek_ceremonies SET mode = 'production'")
	}},
	{name: "a byte of the bundle's log", does: func(c *corrupt) {
		path := filepath.Join(c.bundle(1), "events.jsonl")
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, []byte(strings.Replace(string(data), "not applicable", "Not applicable", 1)), 0o600)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}},
	{name: "a final in the bundle alone", does: func(c *corrupt) {
		if err := os.Remove(filepath.Join(c.bundle(2), "final.alice.txt.sig")); err != nil {
			c.t.Fatal(err)
		}
	}},
}

var toChange = situation{"a change of the roster waits for approval",
	func(c *corrupt) error {
		v := c.changes()
		v.until = func(r engine.Request) bool { return r.Purpose == quorum.Approve }
		return c.run(v)
	},
	func(c *corrupt) visit { return c.changes() },
	[]attempt{
		{name: "a next roster of her own, proved and done", does: func(c *corrupt) {
			p := c.pen()
			roster := transcripttest.RosterOf(1, quorum.Rehearsal, c.carol)
			sum := transcript.Digest([]byte(roster))
			plan := "kekceremony plan v1\nnext_roster_sha256: " + sum + "\n"
			p.Add(transcript.NextRoster, "next-roster", facts("next_roster", roster, "next_roster_sha256", sum))
			p.Add(transcript.Plan, "approve", facts("plan", plan, "sha256", transcript.Digest([]byte(plan)), "acts", "change"))
			c.sign(p, "approve", "alice")
			c.sign(p, "approve", "carol")
			p.Add(transcript.Begun, "change", nil)
			p.Add(transcript.Done, "change", facts("changed", sum, "next_roster_sha256", sum))
			c.toDisk()
		}},
		{name: "a next roster of her own, and nothing else", does: func(c *corrupt) {
			roster := strings.Replace(transcripttest.RosterOf(1, quorum.Rehearsal, c.carol), "carol", "alice", 1)
			c.pen().Add(transcript.NextRoster, "next-roster",
				facts("next_roster", roster, "next_roster_sha256", transcript.Digest([]byte(roster))))
			c.toDisk()
		}},
		{name: "the change done, by nobody", does: func(c *corrupt) {
			p := c.pen()
			sum := ""
			for _, e := range p.Events {
				if e.Kind == transcript.NextRoster {
					sum = e.Facts["next_roster_sha256"]
				}
			}
			p.Add(transcript.Done, "change", facts("changed", sum, "next_roster_sha256", sum))
			p.Add(transcript.Closed, "", facts("outcome", "done"))
			c.toDisk()
		}},
	}}

// changes is a visit in which a comment is added to the roster.
func (c *corrupt) changes() visit {
	roster, err := os.ReadFile(c.parts.Roster())
	next := filepath.Join(c.parts.Dir, "next")
	if err == nil {
		err = os.WriteFile(next, append(roster, "# a comment\n"...), 0o600)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return visit{kind: transcript.KindRoster, make: steps.ChangeRoster(), next: next}
}

// forgets takes a ceremony out of the store and off the disk, with the version that it made.
func (c *corrupt) forgets(seq int) {
	c.exec("DELETE FROM kek_events WHERE ceremony = ?", seq)
	c.exec("DELETE FROM kek_ceremonies WHERE id = ?", seq)
	c.exec("DELETE FROM kek_versions WHERE ceremony = ?", seq)
	dir := c.bundle(seq)
	hidden, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".*"))
	for _, path := range append(hidden, dir) {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// plants puts a draft there as a ceremony that is new.
func (c *corrupt) plants(seq int, d *transcripttest.Draft) {
	name := fmt.Sprintf("2026-01-01T000000Z-%04d-generate", seq)
	c.exec("INSERT INTO kek_ceremonies VALUES (?, 'generate', 'rehearsal', ?, '', '', '')", seq, name)
	d.Write(filepath.Join(c.parts.Bundles(), name))
	c.stores(seq, d)
	if !history.BundleName.MatchString(name) {
		c.t.Fatal(name)
	}
}

var toRewrap = situation{"the writers were switched, and the console was lost before the re-wrap",
	func(c *corrupt) error {
		s := c.rotation()
		s.parts = func(p *engine.Parts) {
			p.Fleet = quick
			p.Store = cutting{p.Store, `"kind":"begun","step":"re-wrap"`}
		}
		if err := c.run(s); err == nil {
			return errors.New("the console was not lost")
		}
		return nil
	},
	func(c *corrupt) visit { return c.rotation() },
	[]attempt{
		{name: "a checkpoint by which every record is done", told: unseen, does: func(c *corrupt) {
			id, err := c.db.EncodeID("record-999999")
			if err != nil {
				c.t.Fatal(err)
			}
			var reached []string
			for _, f := range envelope.DefaultCatalogue() {
				reached = append(reached, fmt.Sprintf("%q: {%q: %q, %q: 2}", f.Collection, "id", id, "records"))
			}
			mark := fmt.Sprintf("{%q: 2, %q: {%s}}", "to", "reached", strings.Join(reached, ", "))
			if err := os.WriteFile(c.beside(2, "mark"), []byte(mark), 0o600); err != nil {
				c.t.Fatal(err)
			}
		}},
		{name: "re-wrapped, retired and closed, on the disk as well", does: func(c *corrupt) {
			p := c.pen()
			p.Add(transcript.Begun, "re-wrap", nil)
			p.Add(transcript.Done, "re-wrap", facts("left", "0", "rewrapped", "12"))
			p.Add(transcript.Found, "census", facts("census_1", "0", "census_2", "0"))
			p.Add(transcript.Begun, "fence", nil)
			p.Add(transcript.Done, "fence", facts("fenced", "1"))
			p.Add(transcript.Begun, "retire", nil)
			p.Add(transcript.Done, "retire", facts("retired", "1"))
			p.Add(transcript.Answered, "leaving", facts("differed", "none"))
			p.Add(transcript.Closed, "", facts("outcome", "done"))
			c.exec("UPDATE kek_versions SET state = 'retired' WHERE id = 1")
			c.toDisk()
		}},
		{name: "the pointer moved back", does: func(c *corrupt) { c.exec("UPDATE kek_active SET version = 1") }},
	}}

var quick = engine.FleetConfig{Heartbeat: 50 * time.Millisecond, Live: time.Second}

// rotation is a visit for one, at a site whose application has records and a process.
func (c *corrupt) rotation() visit {
	c.t.Helper()
	site := course{t: c.t, parts: c.parts, db: c.db, chain: c.did.lock.Chain}
	p, err := site.openProvider(c.t.Context(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer p.Close()
	a := rehearsal.Application{Records: c.db.(rehearsal.Records), Provider: p, Chain: site.chain, Active: 1}
	if err := a.Write(c.t.Context(), 12); err != nil {
		c.t.Fatal(err)
	}
	c.exec("DELETE FROM process_heartbeats") // of the site that this one was copied from
	site.reports("app")
	return visit{kind: transcript.KindRotate, make: steps.Rotate(steps.Rotation{To: 2}),
		parts: func(s *engine.Parts) { s.Fleet = quick }}
}
