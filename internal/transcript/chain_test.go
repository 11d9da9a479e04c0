package transcript_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// TestC12: what is no plain file of the bundle's owner is refused.
func TestC12(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, dir, path string) error
		says string
	}{
		{"symlink", func(t *testing.T, _, path string) error {
			to := filepath.Join(t.TempDir(), "elsewhere")
			if err := os.Rename(path, to); err != nil {
				return err
			}
			return os.Symlink(to, path)
		}, "roster: a link"},
		{"hard link", func(t *testing.T, dir, path string) error { return os.Link(path, filepath.Join(dir, "..", "second")) },
			"roster: it has a second hard link"},
		{"FIFO", func(_ *testing.T, _, path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return unix.Mkfifo(path, 0o600)
		}, "roster: not a regular file"},
		{"directory", func(_ *testing.T, _, path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Mkdir(path, 0o700)
		}, "roster: not a regular file"},
		{"foreign owner", func(t *testing.T, _, path string) error {
			if os.Geteuid() != 0 {
				if os.Getenv("CI") == "true" {
					t.Fatal("only root gives a file away")
				}
				t.Skip("SKIPPED: only root gives a file away")
			}
			return os.Chown(path, 65534, -1)
		}, "roster: it has another owner than the bundle"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := transcripttest.Rotation(t).Build().Write(filepath.Join(t.TempDir(), "b"))
			if err := c.do(t, dir, filepath.Join(dir, "roster")); err != nil {
				t.Fatal(err)
			}
			if _, err := transcript.Verify(dir); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %s", err, c.says)
			}
		})
	}
}

// chainOf verifies drafts, and then that they are one chain.
func chainOf(t *testing.T, drafts ...*draft) error {
	t.Helper()
	var reports []transcript.Report
	for _, d := range drafts {
		r, err := transcript.Verify(d.Write(t.TempDir()))
		if transcript.StandingOf(err) == transcript.Bad {
			t.Fatal(err)
		}
		reports = append(reports, r)
	}
	return transcript.VerifyChain(reports)
}

// brokenChain is several bundles that are no chain.
type brokenChain struct {
	name   string
	drafts []*draft
	says   string
}

// brokenChains are C08, C09 and C11, S09 between ceremonies, and what a next ceremony
// must take over.
func brokenChains(t testing.TB) []brokenChain {
	one := transcripttest.Rotation(t).Build()
	next := func(change func(*draft)) *draft {
		n := one.Next()
		change(n)
		return n.Build()
	}
	two := next(func(*draft) {})
	divided := transcripttest.Rotation(t)
	divided.Verdicts = map[string]transcript.Verdict{"alice": transcript.Disagree}
	divided.Build()
	three := two.Next().Build()
	newest := transcripttest.Newest(t).Build()
	void := transcripttest.GivenUp(t, false).Build()
	return append(brokenDestructions(t), []brokenChain{
		{"a chain that was given up", []*draft{void, one}, "says that chain 0123456789abcdef0123456789abcdef was given up"},
		{"the format goes back", []*draft{newest, newest.Next().Build()},
			`format "kekceremony transcript v1", and was "kekceremony transcript v2"`},
		{"C08 a fork", []*draft{one, two, next(func(d *draft) {
			d.Events[5].Facts["signer"] = "wendy"
			d.Events[6].Facts["signer"] = "dora"
		})}, "a fork"},
		{"C09 a middle one dropped", []*draft{one, three}, "a gap: ceremony 2 is missing"},
		{"C09 the first one dropped", []*draft{two, three}, "a gap: ceremony 1 is missing"},
		{"C09 the middle one replaced", []*draft{one, next(func(d *draft) { d.Events[0].Facts["tool"] = "another" }), three},
			"does not follow the final digest of ceremony 2"},
		{"C09 one open in the middle", []*draft{one, next(func(d *draft) { d.Drop(transcript.Closed, "", "") }), three},
			"no final digest"},
		{"C11 another chain",
			[]*draft{one, next(func(d *draft) { d.Events[0].Facts["chain"] = "ffffffffffffffffffffffffffffffff" })},
			`chain is "ffffffffffffffffffffffffffffffff"`},
		{"another mode", []*draft{one, next(func(d *draft) { rehearsed(d) })}, `mode is "rehearsal", and was "production"`},
		{"a roster that nobody put there", []*draft{one, next(func(d *draft) { demand(d, "# quorum: 1\n") })},
			"is not the one that ceremony 1 left"},
		{"a dissenter's final vanished", []*draft{without(one, "bob"), two}, "final.bob.txt of ceremony 1 is missing"},
		{"a final that makes the quorum, added after the next one began", []*draft{divided, late(divided)},
			"final.bob.txt of ceremony 1 was added after this one began"},
		{"S09 a counter that an earlier ceremony had passed", []*draft{one, next(func(d *draft) {
			d.Person("dora").Signer.(*transcripttest.Authenticator).Counter = 1
		})}, "counter is 2, and was 3 in an earlier ceremony"},
	}...)
}

// late is a ceremony that began before bob signed the end of the one before.
func late(d *draft) *draft {
	n := d.Next()
	delete(n.Events[0].Facts, "previous.final.bob.txt")
	delete(n.Events[0].Facts, "previous.final.bob.txt.sig")
	return n.Build()
}

func TestChain(t *testing.T) {
	one := transcripttest.Rotation(t).Build()
	two := one.Next().Build()
	three := two.Next().Build()
	if err := chainOf(t, three, one, two); err != nil {
		t.Errorf("good, in any order: %v", err)
	}
	if err := chainOf(t, one, late(one)); err != nil {
		t.Errorf("a late final that changes nothing: %v", err)
	}
	for _, c := range brokenChains(t) {
		t.Run(c.name, func(t *testing.T) {
			if err := chainOf(t, c.drafts...); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

// without is a draft whose files lack one person's final.
func without(d *draft, name string) *draft {
	c := *d
	c.Files = maps.Clone(d.Files)
	delete(c.Files, "final."+name+".txt")
	delete(c.Files, "final."+name+".txt.sig")
	return &c
}

// rehearsed makes a rehearsal of it.
func rehearsed(d *draft) {
	d.Mode = quorum.Rehearsal
	d.Events[0].Facts["mode"] = string(d.Mode)
	roster := transcripttest.RosterOf(2, d.Mode, d.People...)
	facts := d.Events[d.Find(transcript.Roster, "roster", "")].Facts
	facts["roster"], facts["roster_sha256"] = roster, transcript.Digest([]byte(roster))
}

// TestExpect: S18 a roster swapped together with every signature, and C11: what stands
// on paper tells.
func TestExpect(t *testing.T) {
	d := transcripttest.Rotation(t).Build()
	good, err := transcript.Verify(d.Write(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	forged := transcripttest.Rotation(t)
	for i := range forged.People { // the names stay, the keys are the attacker's
		forged.People[i] = transcripttest.Operator(t, "attacker "+forged.People[i].Name)
		forged.People[i].Name = d.People[i].Name
	}
	roster := transcripttest.RosterOf(2, forged.Mode, forged.People...)
	facts := forged.Events[forged.Find(transcript.Roster, "roster", "")].Facts
	facts["roster"], facts["roster_sha256"] = roster, transcript.Digest([]byte(roster))
	bad, err := transcript.Verify(forged.Build().Write(t.TempDir()))
	if err != nil {
		t.Fatal("by itself it cannot be told: ", err)
	}
	paper := good.FinalSum
	grouped := strings.ToUpper(paper[:8] + " " + paper[8:])
	if err := transcript.Expect([]transcript.Report{good}, grouped); err != nil {
		t.Error(err)
	}
	for _, written := range []string{paper, "ffffffffffffffffffffffffffffffff"} {
		if err := transcript.Expect([]transcript.Report{bad}, written); !transcript.IsBroken(err) {
			t.Errorf("%s: %v", written, err)
		}
	}
	if err := transcript.Expect([]transcript.Report{good}, good.Opened()["chain"]); err != nil {
		t.Error(err)
	}
	if err := transcript.Expect(nil, "12"); !errors.Is(err, transcript.ErrPaper) {
		t.Error(err)
	}
}

// changing is a roster ceremony: erin joins, alice leaves.
func changing(t *testing.T) *draft {
	d := transcripttest.Rotation(t)
	erin := transcripttest.Operator(t, "erin")
	d.People = append(d.People, erin)
	roster := transcripttest.RosterOf(2, d.Mode, d.People[1], d.People[2], d.People[3], erin)
	sum := transcript.Digest([]byte(roster))
	at := d.Find(transcript.Plan, "approve", "")
	d.Insert(at, transcript.NextRoster, "next-roster", transcript.Facts{"next_roster": roster, "next_roster_sha256": sum})
	d.Insert(at+1, transcript.Asked, "prove",
		transcript.Facts{"purpose": "roster", "next_roster_sha256": sum, "nonce.erin": "f1"})
	d.Insert(at+2, transcript.Signed, "prove", transcript.Facts{"signer": "erin"})
	d.Insert(at+3, transcript.Gathered, "prove", transcript.Facts{"joined": "erin"})
	plan := d.Events[d.Find(transcript.Plan, "approve", "")].Facts
	plan["plan"] += "next_roster_sha256: " + sum + "\n"
	plan["sha256"] = transcript.Digest([]byte(plan["plan"]))
	d.Events[d.Find(transcript.Done, "switch", "")].Facts = transcript.Facts{"next_roster_sha256": sum}
	return d
}

// TestRosterChange: S19, and a key that nobody proved to hold.
func TestRosterChange(t *testing.T) {
	good := changing(t).Build()
	r, err := transcript.Verify(good.Write(t.TempDir()))
	if err != nil || r.Next.Digest() != r.Changed() {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*draft)
		rule   transcript.Rule
		says   string
	}{
		{"S19 signed by the new people only", func(d *draft) {
			d.Events[d.Find(transcript.Signed, "approve", "alice")].Facts["signer"] = "erin"
		}, transcript.RuleSignatures, "the roster has no such person"},
		{"nobody proved the new key", func(d *draft) { d.Drop(transcript.Signed, "prove", "erin") }, transcript.RuleQuorum,
			"erin has not proved"},
		{"S19 the proofs of the new keys taken for the approval", func(d *draft) {
			d.Drop(transcript.Signed, "approve", "alice")
			d.Drop(transcript.Signed, "approve", "dora")
			at := d.Find(transcript.Gathered, "approve", "")
			facts := maps.Clone(d.Events[d.Find(transcript.Asked, "prove", "")].Facts)
			facts["plan"] = d.Events[d.Find(transcript.Plan, "approve", "")].Facts["plan"]
			d.Insert(at, transcript.Asked, "approve", facts)
			d.Insert(at+1, transcript.Signed, "approve", transcript.Facts{"signer": "erin"})
		}, transcript.RuleOrder, "step approve asks for two purposes"},
		{"a proof for another roster", func(d *draft) {
			roster := transcripttest.RosterOf(1, d.Mode, d.People[1], d.People[len(d.People)-1])
			sum := transcript.Digest([]byte(roster))
			d.Insert(d.Find(transcript.Signed, "prove", "erin"), transcript.NextRoster, "next-roster",
				transcript.Facts{"next_roster": roster, "next_roster_sha256": sum})
		}, transcript.RuleOrder, "nothing was asked"},
		{"nobody was asked to", func(d *draft) {
			d.Drop(transcript.Signed, "prove", "erin")
			d.Drop(transcript.Gathered, "prove", "")
		}, transcript.RuleQuorum, "erin has not proved"},
		{"another roster than was approved", func(d *draft) {
			d.Events[d.Find(transcript.Done, "switch", "")].Facts["next_roster_sha256"] = transcript.NoDigest
		}, transcript.RuleRoster, "not the one of the plan"},
		{"swapped after the approval", func(d *draft) {
			roster := transcripttest.RosterOf(1, d.Mode, d.People[1])
			sum := transcript.Digest([]byte(roster))
			d.Insert(d.Find(transcript.Done, "switch", ""), transcript.NextRoster, "next-roster",
				transcript.Facts{"next_roster": roster, "next_roster_sha256": sum})
			d.Events[d.Find(transcript.Done, "switch", "")].Facts["next_roster_sha256"] = sum
		}, transcript.RuleRoster, "not the one of the plan"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := changing(t)
			c.change(d)
			r, err := transcript.Verify(d.Build().Write(t.TempDir()))
			var broken *transcript.RuleError
			if !errors.As(err, &broken) || broken.Rule != c.rule || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, %v", err, r.Judgements)
			}
		})
	}
	next := good.Next() // the next ceremony uses the next roster
	facts := next.Events[next.Find(transcript.Roster, "roster", "")].Facts
	facts["roster"], facts["roster_sha256"] = r.Facts["next_roster"], r.Changed()
	next.Drop(transcript.Signed, "attend", "alice")
	next.Events[next.Find(transcript.Gathered, "attend", "")].Facts["attended"] = "bob, dora, wendy"
	next.Events[next.Find(transcript.Signed, "approve", "alice")].Facts["signer"] = "bob"
	if err := chainOf(t, good, next.Build()); err != nil {
		t.Error(err)
	}
	if err := chainOf(t, good, good.Next().Build()); err == nil ||
		!strings.Contains(err.Error(), "is not the one that ceremony 1 left") {
		t.Errorf("the old people continued: %v", err)
	}
}

// TestProposedRoster: a roster ceremony that is aborted changes nobody's rights.
func TestProposedRoster(t *testing.T) {
	d := changing(t)
	d.Drop(transcript.Begun, "switch", "")
	d.Drop(transcript.Done, "switch", "")
	d.Events[d.Find(transcript.Closed, "", "")].Facts["outcome"] = transcript.OutcomeAborted
	r, err := transcript.Verify(d.Build().Write(t.TempDir()))
	if err != nil || r.NextRoster() != r.Roster.Digest() || r.NextRoster() == r.Next.Digest() {
		t.Errorf("%v; the next ceremony uses %s", err, r.NextRoster())
	}
	if err := chainOf(t, d, d.Next().Build()); err != nil {
		t.Error(err)
	}
}
