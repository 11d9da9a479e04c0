package quorum_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// signatures is how many TestDifferential compares; make torture compares more.
var signatures = flag.Int("signatures", 300, "how many signatures TestDifferential compares")

// signedCase is a signature and what it is checked against.
type signedCase struct {
	roster    string
	namespace string
	signed    quorum.Signed
}

// twist is a change that leaves a signature as it should be, or does not. Stricter
// says why ours refuses what stock ssh-keygen may accept; empty: they agree.
type twist struct {
	name     string
	do       func(*signedCase)
	stricter string
}

const approveSpace = "approve-v1@kekceremony"

func swap(field *string, old, text string) { *field = strings.Replace(*field, old, text, 1) }

// twists, of which any two are combined.
var twists = []twist{
	{"nothing", func(*signedCase) {}, ""},
	{"the statement is longer",
		func(c *signedCase) { c.signed.Statement = append(slices.Clone(c.signed.Statement), 'x') }, ""},
	{"the statement is empty", func(c *signedCase) { c.signed.Statement = nil }, ""},
	{"CRLF in the statement", func(c *signedCase) {
		c.signed.Statement = []byte(strings.ReplaceAll(string(c.signed.Statement), "\n", "\r\n"))
	}, ""},
	{"another namespace", func(c *signedCase) { c.namespace = "attend-v1@kekceremony" }, ""},
	{"an unknown namespace", func(c *signedCase) { c.namespace = "git" }, ""},
	{"another name", func(c *signedCase) { c.signed.Name = "zoe" }, ""},
	{"a pattern for a name", func(c *signedCase) { c.signed.Name = "*" }, ""},
	{"two signatures", func(c *signedCase) { c.signed.Signature = slices.Repeat(c.signed.Signature, 2) },
		"one signature to a file"},
	{"text after the signature",
		func(c *signedCase) { c.signed.Signature = append(slices.Clone(c.signed.Signature), "x\n"...) },
		"one signature to a file"},
	{"text before the signature",
		func(c *signedCase) { c.signed.Signature = append([]byte("x\n"), c.signed.Signature...) }, ""},
	{"CRLF in the armor", func(c *signedCase) {
		c.signed.Signature = []byte(strings.ReplaceAll(string(c.signed.Signature), "\n", "\r\n"))
	}, "one form of the armor"},
	{"long lines in the armor", func(c *signedCase) {
		l := strings.Split(string(c.signed.Signature), "\n")
		if len(l) > 3 {
			c.signed.Signature = []byte(l[0] + "\n" + strings.Join(l[1:len(l)-2], "") + "\n" + l[len(l)-2] + "\n")
		}
	}, "one form of the armor"},
	{"no line feed at the end of the armor",
		func(c *signedCase) { c.signed.Signature = []byte(strings.TrimSuffix(string(c.signed.Signature), "\n")) },
		"one form of the armor"},
	{"a letter of the armor", func(c *signedCase) { c.signed.Signature = flip(c.signed.Signature, rand.IntN) },
		"one version, and no stray bits"},
	{"the armor cut", func(c *signedCase) { c.signed.Signature = c.signed.Signature[:len(c.signed.Signature)/2] }, ""},
	{"no signature", func(c *signedCase) { c.signed.Signature = nil }, ""},
	{"a comma list of names", func(c *signedCase) { swap(&c.roster, "alice ", "alice,zoe ") }, "one name to a line"},
	{"a wildcard for a name", func(c *signedCase) { swap(&c.roster, "alice ", "al* ") }, "no wildcard"},
	{"every namespace", func(c *signedCase) {
		swap(&c.roster, `namespaces="attend-v1@kekceremony,approve-v1`, `namespaces="*,approve-v1`)
	}, "namespaces by their names"},
	{"no namespaces", func(c *signedCase) { c.roster = noNamespaces(c.roster) }, "namespaces by their names"},
	{"dates without Z",
		func(c *signedCase) { swap(&c.roster, `" ssh-`, `",valid-after="20200101" ssh-`) }, "dates with Z"},
	{"not valid yet", func(c *signedCase) { swap(&c.roster, `" `, `",valid-after="20300101000000Z" `) }, ""},
	{"valid", func(c *signedCase) {
		swap(&c.roster, `" `, `",valid-after="20200101000000Z",valid-before="20300101000000Z" `)
	}, ""},
	{"not valid any more", func(c *signedCase) { swap(&c.roster, `" `, `",valid-before="20200101000000Z" `) }, ""},
	{"valid since before 1970", func(c *signedCase) { swap(&c.roster, `" `, `",valid-after="19691231235959Z" `) }, ""},
	{"valid since the year 0", func(c *signedCase) { swap(&c.roster, `" `, `",valid-after="00000101000000Z" `) }, ""},
	{"valid since the epoch", func(c *signedCase) { swap(&c.roster, `" `, `",valid-after="19700101000000Z" `) }, ""},
	{"valid until the epoch", func(c *signedCase) { swap(&c.roster, `" `, `",valid-before="19700101000000Z" `) }, ""},
	{"valid until before 1970", func(c *signedCase) { swap(&c.roster, `" `, `",valid-before="19001231235959Z" `) }, ""},
	{"valid since one second", func(c *signedCase) { swap(&c.roster, `" `, `",valid-after="19700101000001Z" `) }, ""},
	{"valid until the year 9999",
		func(c *signedCase) { swap(&c.roster, `" `, `",valid-before="99991231235959Z" `) }, "one order of the dates"},
	{"valid from after to before", func(c *signedCase) {
		swap(&c.roster, `" `, `",valid-after="20300101000000Z",valid-before="20200101000000Z" `)
	}, ""},
	{"valid since a day that is none", func(c *signedCase) {
		swap(&c.roster, `" `, `",valid-after="20200230000000Z" `)
	}, "days that there are"},
	{"a certificate authority", func(c *signedCase) { swap(&c.roster, `namespaces=`, `cert-authority,namespaces=`) }, ""},
	{"an empty line", func(c *signedCase) { c.roster += "\n" }, ""},
	{"the quorum is not told", func(c *signedCase) { swap(&c.roster, "# quorum: 1\n", "") }, "a quorum line"},
	{"CRLF in the roster", func(c *signedCase) { c.roster = strings.ReplaceAll(c.roster, "\n", "\r\n") },
		"one form of the roster"},
	{"tabs in the roster", func(c *signedCase) { swap(&c.roster, " ", "\t") }, "one form of the roster"},
	{"the key twice", func(c *signedCase) {
		l := strings.SplitAfter(c.roster, "\n")
		c.roster += strings.Replace(l[1], "alice", "bob", 1)
	}, "one key to a person"},
	{"the name twice", func(c *signedCase) { c.roster += strings.SplitAfter(c.roster, "\n")[1] }, "one line to a person"},
	{"a capital in the name", func(c *signedCase) { swap(&c.roster, "alice", "Alice"); c.signed.Name = "Alice" },
		"lower-case names"},
	{"a letter of the key", func(c *signedCase) {
		i := strings.Index(c.roster, " AAAA") + 60
		c.roster = c.roster[:i] + string(flip([]byte(c.roster[i:]), func(int) int { return 0 }))
	}, ""},
}

func noNamespaces(roster string) string {
	from, to := strings.Index(roster, "namespaces="), strings.Index(roster, `" `)
	if from < 0 || to < from {
		return roster
	}
	return roster[:from] + roster[to+2:]
}

func flip(b []byte, at func(int) int) []byte {
	if len(b) < 40 {
		return b
	}
	b = slices.Clone(b)
	i := at(len(b)-40) + 32
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return b
}

// bases are good signatures by keys of each kind; stock ssh-keygen made all but the
// one of the authenticator.
func bases(t *testing.T) (all []signedCase) {
	t.Helper()
	statement := []byte("kekceremony statement v1\npurpose: approve\n")
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	text := filepath.Join(dir, "statement")
	if err := os.WriteFile(text, statement, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, kind := range [][]string{{"ed25519"}, {"ecdsa", "-b", "256"}, {"ecdsa", "-b", "521"}, {"rsa", "-b", "2048"}} {
		key := filepath.Join(dir, strings.Join(kind, ""))
		args := append([]string{"-q", "-N", "", "-f", key, "-t"}, kind...)
		if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		k, err := quorum.OpenKeyFile(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := k.Sign(t.Context(), approveSpace, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		public, err := os.ReadFile(key + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		roster := fmt.Sprintf("# quorum: 1\nalice namespaces=\"attend-v1@kekceremony,approve-v1@kekceremony\" %s", public)
		all = append(all,
			signedCase{roster, approveSpace, quorum.Signed{Name: "alice", Statement: statement, Signature: sig, At: at}})
	}
	dora := transcripttest.Touching(t, "alice")
	roster := transcripttest.RosterOf(1, quorum.Production, dora)
	sig := dora.Sign(t, approveSpace, statement)
	return append(all,
		signedCase{roster, approveSpace, quorum.Signed{Name: "alice", Statement: statement, Signature: sig, At: at}})
}

func (c signedCase) ours() error {
	r, err := quorum.ParseRoster([]byte(c.roster), quorum.Production)
	if err != nil {
		return err
	}
	_, err = r.Check(c.namespace, c.signed)
	return err
}

func (c signedCase) stock(t *testing.T) error {
	return quorum.Roster{Text: []byte(c.roster)}.Stock(t.Context(), c.namespace, c.signed, "")
}

// TestDifferential (S20): what our verifier accepts, stock ssh-keygen accepts. Where
// ours is stricter, the twist says so.
func TestDifferential(t *testing.T) {
	base := bases(t)
	n, both, stricter := 0, 0, map[string]int{}
	try := func(c signedCase, twists ...twist) {
		t.Helper()
		n++
		for _, w := range twists {
			w.do(&c)
		}
		ours, stock := c.ours(), c.stock(t)
		switch {
		case ours == nil && stock != nil:
			t.Errorf("%s and %s: accepted, but stock says: %v\n%s\n%s",
				twists[0].name, twists[len(twists)-1].name, stock, c.roster, c.signed.Signature)
		case ours == nil:
			both++
		case stock == nil:
			why := ""
			for _, w := range twists {
				if w.stricter != "" {
					why = w.stricter
					stricter[why]++
				}
			}
			if why == "" {
				t.Errorf("%s and %s: refused, and nothing says why it is stricter: %v",
					twists[0].name, twists[len(twists)-1].name, ours)
			}
		}
	}
	for _, c := range base {
		for _, w := range twists {
			try(c, w)
		}
	}
	for n < *signatures && !testing.Short() {
		try(base[rand.IntN(len(base))], twists[rand.IntN(len(twists))], twists[rand.IntN(len(twists))])
	}
	t.Logf("%d cases; both accept %d; stricter: %v", n, both, stricter)
	if both < 10 || len(stricter) < 5 {
		t.Errorf("too few of a kind: both accept %d; stricter: %v", both, stricter)
	}
}

// TestUntouched (S09): stock ssh-keygen accepts a signature for which nobody touched
// the authenticator; ours does not. The auditor's guide says so.
func TestUntouched(t *testing.T) {
	dora := transcripttest.Touching(t, "alice")
	dora.Signer.(*transcripttest.Authenticator).Flags = 0
	statement := []byte("x\n")
	c := signedCase{transcripttest.RosterOf(1, quorum.Production, dora), approveSpace,
		quorum.Signed{Name: "alice", Statement: statement, Signature: dora.Sign(t, approveSpace, statement), At: time.Now()}}
	if err := c.stock(t); err != nil {
		t.Errorf("stock: %v", err)
	}
	if err := c.ours(); err == nil || !strings.Contains(err.Error(), "user presence") {
		t.Errorf("ours: %v", err)
	}
}

// TestRevoked (S14): a key on a list of keys and on a KRL, and a file that is not there.
func TestRevoked(t *testing.T) {
	c := bases(t)[0]
	r, err := quorum.ParseRoster([]byte(c.roster), quorum.Production)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	list, other, krl := filepath.Join(dir, "list"), filepath.Join(dir, "other"), filepath.Join(dir, "krl")
	_, public, _ := strings.Cut(strings.TrimSpace(strings.SplitN(c.roster, "\n", 2)[1]), `" `)
	if err := os.WriteFile(list, []byte(public+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ssh-keygen", "-q", "-k", "-f", krl, list).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for path, revoked := range map[string]bool{
		"":                            false,
		other:                         false,
		list:                          true,
		krl:                           true,
		filepath.Join(dir, "nowhere"): true,
	} {
		if err := r.Stock(t.Context(), c.namespace, c.signed, path); (err != nil) != revoked {
			t.Errorf("%s: %v", path, err)
		}
	}
}
