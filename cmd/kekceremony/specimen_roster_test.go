package main_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// rosterTwist is what a hand, an editor or an attacker may do to a roster's text.
type rosterTwist struct{ name, old, text string }

const allSpaces = `namespaces="attend-v1@kekceremony,approve-v1@kekceremony,final-v1@kekceremony,roster-v1@kekceremony"`

// rosterTwists change the first such text; an empty old one stands for the end.
var rosterTwists = []rosterTwist{
	{"nothing", "", ""},
	{"a leading space", "alice ", " alice "},
	{"leading spaces", "\nbob ", "\n     bob "},
	{"a leading tab", "alice ", "\talice "},
	{"a tab between fields", "alice ", "alice\t"},
	{"two spaces between fields", "alice ", "alice  "},
	{"three spaces before the key", " AAAA", "   AAAA"},
	{"a space at the end of a line", "\nbob ", " \nbob "},
	{"CRLF", "\nbob ", "\r\nbob "},
	{"a comment", "\nbob ", " alice@example.com\nbob "},
	{"a comment in quotes", "\nbob ", " \"of\" the 'office\nbob "},
	{"a comment with one quote", "\nbob ", " it is 5\" long\nbob "},
	{"a comment with a backslash", "\nbob ", " c:\\name\\\\\nbob "},
	{"a comment that looks like options", "\nbob ", " namespaces=\"approve-v1@kekceremony\",cert-authority\nbob "},
	{"a comment that looks like a person", "\nbob ", " wendy namespaces=\"approve-v1@kekceremony\" ssh-rsa A\nbob "},
	{"an empty line", "\nbob ", "\n\n\nbob "},
	{"an empty line at the end", "", "\n"},
	{"a line of spaces", "\nbob ", "\n  \nbob "},
	{"a comment line", "\nbob ", "\n# bob may \"leave\"; namespaces=\"approve-v1@kekceremony\"\nbob "},
	{"a comment line after a space", "\nbob ", "\n # bob\nbob "},
	{"a comment line of four words after a space", "\nbob ", "\n # bob namespaces=\"approve-v1@kekceremony\" x y\nbob "},
	{"a comment line without a space", "\nbob ", "\n#bob\nbob "},
	{"NUL", "alice ", "alice\x00 "},
	{"NUL in a comment", "\nbob ", " \x00\nbob "},
	{"not ASCII", "\nbob ", " Zo\u00eb\nbob "},
	{"not ASCII in a name", "alice ", "alic\u00e9 "},
	{"DEL in a comment", "\nbob ", " \x7f\nbob "},
	{"a BOM", "# quorum", "\ufeff# quorum"},
	{"a quorum of none", "quorum: 1", "quorum: 0"},
	{"a quorum of two", "quorum: 1", "quorum: 2"},
	{"a quorum of four, of three", "quorum: 1", "quorum: 4"},
	{"a quorum of a hundred", "quorum: 1", "quorum: 100"},
	{"a quorum with a zero", "quorum: 1", "quorum: 01"},
	{"a quorum with a space", "quorum: 1", "quorum: 1 "},
	{"no quorum", "# quorum: 1\n", ""},
	{"a space before the quorum", "# quorum", " # quorum"},
	{"two quorum lines", "\nbob ", "\n# quorum: 9\nbob "},
	{"a policy", "\nbob ", "\n# user-verification: required\nbob "},
	{"a policy that is none", "\nbob ", "\n# user-verification: optional\nbob "},
	{"a policy and a space", "\nbob ", "\n# user-verification: required \nbob "},
	{"a list of names", "alice ", "alice,zoe "},
	{"a wildcard", "alice ", "al* "},
	{"a negation", "alice ", "!bob,* "},
	{"a capital", "alice ", "Alice "},
	{"a quoted name", "alice ", "\"alice\" "},
	{"a name that is an option", "alice ", "-alice "},
	{"a digit and a dash in the name", "alice ", "alice-2_x "},
	{"a name of 32 letters", "alice ", strings.Repeat("a", 32) + " "},
	{"a name of 33 letters", "alice ", strings.Repeat("a", 33) + " "},
	{"the name twice", "bob ", "alice "},
	{"no namespaces", allSpaces + " ", ""},
	{"no namespace", allSpaces, `namespaces=""`},
	{"every namespace", `namespaces="attend-v1@kekceremony`, `namespaces="*`},
	{"another program's namespace", `namespaces="attend`, `namespaces="git,attend`},
	{"a namespace twice", `namespaces="attend`, `namespaces="approve-v1@kekceremony,attend`},
	{"a space in the namespaces", "kekceremony,approve", "kekceremony, approve"},
	{"a namespace of a rehearsal", "kekceremony,approve-v1", "kekceremony,approve-rehearsal-v1"},
	{"NAMESPACES", "namespaces=", "NAMESPACES="},
	{"an authority", "namespaces=", "cert-authority,namespaces="},
	{"an option after", `" ssh`, `",cert-authority ssh`},
	{"an option that nobody knows", `" ssh`, `",no-touch-required ssh`},
	{"a date", `" ssh`, `",valid-after="20200101000000Z" ssh`},
	{"two dates", `" ssh`, `",valid-after="20200101000000Z",valid-before="20991231235959Z" ssh`},
	{"two dates, the other first", `" ssh`, `",valid-before="20991231235959Z",valid-after="20200101000000Z" ssh`},
	{"dates that are the same", `" ssh`, `",valid-after="20200101000000Z",valid-before="20200101000000Z" ssh`},
	{"an empty date", `" ssh`, `",valid-after="" ssh`},
	{"an empty last date", `" ssh`, `",valid-after="20200101000000Z",valid-before="" ssh`},
	{"a date without Z", `" ssh`, `",valid-after="20200101000000" ssh`},
	{"a day alone", `" ssh`, `",valid-after="20200101" ssh`},
	{"a leap day", `" ssh`, `",valid-after="20240229000000Z" ssh`},
	{"a leap day of 2000", `" ssh`, `",valid-after="20000229000000Z" ssh`},
	{"no leap day", `" ssh`, `",valid-before="21000229000000Z" ssh`},
	{"no leap day in 2023", `" ssh`, `",valid-after="20230229000000Z" ssh`},
	{"February 30", `" ssh`, `",valid-after="20240230000000Z" ssh`},
	{"April 31", `" ssh`, `",valid-after="20240431000000Z" ssh`},
	{"August 31", `" ssh`, `",valid-after="20240831000000Z" ssh`},
	{"month 13", `" ssh`, `",valid-after="20241301000000Z" ssh`},
	{"hour 24", `" ssh`, `",valid-after="20240101240000Z" ssh`},
	{"second 60", `" ssh`, `",valid-after="20240101000060Z" ssh`},
	{"the epoch", `" ssh`, `",valid-after="19700101000000Z" ssh`},
	{"a second after the epoch", `" ssh`, `",valid-after="19700101000001Z" ssh`},
	{"the year 0", `" ssh`, `",valid-before="00000101000000Z" ssh`},
	{"another type", "ssh-ed25519 ", "ssh-rsa "},
	{"a certificate's type", "ssh-ed25519 ", "ssh-ed25519-cert-v01@openssh.com "},
	{"no key", "ssh-ed25519 AAAA", "ssh-ed25519 # AAAA"},
	{"a short key", " AAAAC3NzaC1lZDI1NTE5AAAAI", " AAAAI"},
	{"a padded key", "\nbob ", "=\nbob "},
	{"a letter of the key", "AAAAC3Nz", "AAAAC3Nx"},
	{"the last line feed is missing", "\n\x00", ""}, // of the end: see twist
}

func (w rosterTwist) twist(roster string) string {
	switch w.old {
	case "":
		return roster + w.text
	case "\n\x00":
		return strings.TrimSuffix(roster, "\n")
	}
	return strings.Replace(roster, w.old, w.text, 1)
}

// TestRosterGrammar: kekceremony and the script of the auditor's guide accept the same rosters,
// and of each that they accept stock ssh-keygen accepts a signature by everybody in it.
func TestRosterGrammar(t *testing.T) {
	t.Parallel()
	script := secondVerifier(t)
	alice := transcripttest.Operator(t, "alice")
	base := transcripttest.RosterOf(1, quorum.Production, alice, transcripttest.Operator(t, "bob"),
		transcripttest.Touching(t, "dora"), transcripttest.Witness(t, "wendy"))
	cases := map[string]string{
		"empty": "", "too long": base + "#" + strings.Repeat("x", 64<<10) + "\n",
		"a key on two lines": base + strings.Replace(alice.Line(quorum.Production), "alice", "zoe", 1),
		"only witnesses":     transcripttest.RosterOf(1, quorum.Production, transcripttest.Witness(t, "wendy")),
	}
	for _, bits := range []string{"1024", "2048"} {
		cases["RSA "+bits] = base + `zoe namespaces="approve-v1@kekceremony" ` + publicRSA(t, bits)
	}
	for _, w := range rosterTwists {
		cases[w.name] = w.twist(base)
	}
	random := rand.New(rand.NewPCG(18, 9)) // the same pairs each time, in make torture
	for len(cases) < 210 && specimenStep == 1 {
		a, b := rosterTwists[random.IntN(len(rosterTwists))], rosterTwists[random.IntN(len(rosterTwists))]
		cases[a.name+", and "+b.name] = b.twist(a.twist(base))
	}
	accepted := make(chan bool, len(cases))
	t.Run("cases", func(t *testing.T) {
		for i, name := range slices.Sorted(maps.Keys(cases)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				text := cases[name]
				r, err := quorum.ParseRoster([]byte(text), quorum.Production)
				if i%specimenStep != 0 { // the script takes half a second for each
					accepted <- err == nil
					return
				}
				if said := scriptOnRoster(t, script, text); (said == "") != (err == nil) {
					t.Errorf("kekceremony says: %v\nthe script says: %q\n%q", err, said, text)
				}
				if accepted <- err == nil; err == nil {
					stockTakes(t, r)
				}
			})
		}
	})
	close(accepted)
	n := 0
	for yes := range accepted {
		if yes {
			n++
		}
	}
	t.Logf("%d of %d rosters are accepted", n, len(cases))
	if n < 20 {
		t.Errorf("only %d of %d rosters are accepted", n, len(cases))
	}
}

// scriptOnRoster is what the script of the auditor's guide says of a roster alone.
func scriptOnRoster(t *testing.T, script, roster string) (said string) {
	t.Helper()
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	part, _, ok := strings.Cut(string(text), "\n# Acts:")
	if !ok {
		t.Fatal("the script has no section Acts")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"roster": roster,
		"events.jsonl": fmt.Sprintf(`{"prev":%q,"seq":0,"time":"2026-11-24T10:00:00Z","kind":"opened",`+
			`"facts":{"mode":"production"}}`+"\n", transcript.NoDigest),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("sh", "-c", part+"\nexit $bad", "check.sh", dir).Output() // stderr: grep on a binary file
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	return string(out)
}

// stockTakes has everybody in the roster sign, and stock ssh-keygen look at it.
func stockTakes(t *testing.T, r quorum.Roster) {
	t.Helper()
	statement := []byte("a statement\n")
	for _, m := range r.Members {
		signer := transcripttest.Operator(t, "alice") // whose key may stand under another name
		for _, p := range []transcripttest.Person{transcripttest.Operator(t, "bob"), transcripttest.Touching(t, "dora"),
			transcripttest.Witness(t, "wendy")} {
			if string(p.Signer.PublicKey().Marshal()) == string(m.Key.Marshal()) {
				signer = p
			}
		}
		at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
		if m.At(at) != nil || string(signer.Signer.PublicKey().Marshal()) != string(m.Key.Marshal()) {
			continue // not valid then, or the key of RSA
		}
		space := m.Namespaces[0]
		signed := quorum.Signed{Name: m.Name, Statement: statement, Signature: signer.Sign(t, space, statement), At: at}
		if err := r.Stock(t.Context(), space, signed, ""); err != nil {
			t.Errorf("%v\n%s", err, r.Text)
		}
	}
}

func publicRSA(t *testing.T, bits string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rsa")
	out, err := exec.Command("ssh-keygen", "-q", "-t", "rsa", "-b", bits, "-N", "", "-f", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	public, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return string(public)
}

// TestBothVerifiers: what kekceremony accepts the script accepts, where an earlier script did not;
// and a file's name or a line's time is never run as a command.
func TestBothVerifiers(t *testing.T) {
	t.Parallel()
	script := secondVerifier(t)
	setRoster := func(d *transcripttest.Draft, change func(string) string) {
		facts := d.Events[d.Find(transcript.Roster, "roster", "")].Facts
		facts["roster"] = change(facts["roster"])
		facts["roster_sha256"] = transcript.Digest([]byte(facts["roster"]))
	}
	copyOf := func(d *transcripttest.Draft, from, to string) {
		d.Files[to], d.Files[to+".sig"] = d.Files[from], d.Files[from+".sig"]
	}
	for _, c := range []struct {
		name          string
		before, after func(*transcripttest.Draft)
		code          int
	}{
		{"as it is", nil, nil, 0},
		{"spaces before and between fields", func(d *transcripttest.Draft) {
			setRoster(d, func(s string) string { return strings.ReplaceAll(s, "alice ", "   alice   ") })
		}, nil, 0},
		{"comments and dates", func(d *transcripttest.Draft) {
			setRoster(d, func(s string) string {
				s = strings.Replace(s, "\nbob ", " of \"Example\" \\ Ltd, approve-v1@kekceremony\n\n# bob approve-\nbob ", 1)
				return strings.Replace(s, `" ssh`, `",valid-after="20240229000000Z" ssh`, 1)
			})
		}, nil, 0},
		{"a rehearsal", func(d *transcripttest.Draft) {
			d.Mode = quorum.Rehearsal
			d.Events[0].Facts["mode"] = "rehearsal"
			setRoster(d, func(string) string { return transcripttest.RosterOf(2, d.Mode, d.People...) })
		}, nil, 0},
		{"a roster of a rehearsal in production", func(d *transcripttest.Draft) {
			d.Refused = true
			setRoster(d, func(string) string { return transcripttest.RosterOf(2, quorum.Rehearsal, d.People...) })
		}, nil, 4},
		{"a key that ends between the request and the signature", func(d *transcripttest.Draft) {
			setRoster(d, func(s string) string { return strings.Replace(s, `" ssh`, `",valid-before="20261124110000Z" ssh`, 1) })
			for i := d.Find(transcript.Signed, "approve", "alice"); i < len(d.Events); i++ {
				d.Events[i].Time = "2026-11-24T12:00:00Z"
			}
		}, nil, 4},
		{"the name of a file is a command", nil, func(d *transcripttest.Draft) {
			copyOf(d, "0002-attend.alice.txt", "1}$(touch RUN)-x.y.txt")
			copyOf(d, "0002-attend.alice.txt", "`touch RUN`;touch RUN;-x.y.txt")
		}, 4},
		{"the name of a file has a line feed", nil, func(d *transcripttest.Draft) {
			copyOf(d, "final.alice.txt", "x\nfinal.bob.txt")
		}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := transcripttest.Rotation(t)
			if c.before != nil {
				c.before(d)
			}
			d.Build()
			if c.after != nil {
				c.after(d)
			}
			dir := d.Write(t.TempDir())
			cmd := exec.Command("sh", script, dir)
			out, err := cmd.CombinedOutput()
			if ours, _, errs := run(t, "transcript", "verify", "--stock", dir); ours != c.code || (err == nil) != (c.code == 0) {
				t.Errorf("kekceremony: exit %d, want %d, %s\nthe script: %v\n%s", ours, c.code, errs, err, out)
			}
			if (err == nil) != (len(out) == 0) {
				t.Errorf("the script: %v, and says %q", err, out)
			}
			if found, _ := filepath.Glob(filepath.Join(dir, "RUN")); found != nil {
				t.Error("the script ran the name of a file")
			}
		})
	}
}
