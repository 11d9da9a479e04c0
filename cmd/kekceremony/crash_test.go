//go:build torture

package main_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// endsTried is how many ends of the module are tried in each place.
var endsTried = len(ends)

// ends are what becomes of the module in the middle of a call, and what is said of it.
// An answer of a token that is not there is given for good (P04).
var ends = []struct{ how, says string }{
	{"segv", "the provider's process has ended: SIGSEGV"},
	{"abort", "the provider's process has ended: SIGABRT"},
	{"kill", "the provider's process has ended: signal: killed"},
	{"exit", "the provider's process has ended: exit status 3"},
	{"hang", "the provider's process has ended: it did not answer for 5s"},
	{"32", "CKR_DEVICE_REMOVED"}, {"e0", "CKR_TOKEN_NOT_PRESENT"}, {"b3", "CKR_SESSION_HANDLE_INVALID"},
}

// place is a call of a ceremony into the module, by its number since the process
// began, or, with after-key, since a key was made on the token.
type called struct{ step, after, call string }

// faults are the modes of a fault module for an end in a place.
func (c called) faults(how string) []string {
	if isAnswer(how) {
		return []string{c.after, strings.Replace(c.call, "=", "+", 1) + ":" + how}
	}
	return []string{c.after, c.call + ":" + how}
}

func isAnswer(how string) bool { return len(how) == 2 }

var installCalls = []called{
	{"opening the token", "", "Initialize=1"}, {"finding it", "", "GetTokenInfo=1"}, {"PIN", "", "Login=1"},
	{"probe", "", "EncryptInit=700"}, {"looking for other keys", "", "FindObjectsInit=1"},
	{"key generation", "", "GenerateKey=2"},
	{"reading it back", "after-key", "GetAttributeValue=1"},
	{"canary", "after-key", "EncryptInit=1"}, {"its check", "after-key", "DecryptInit=1"},
}

var rotateCalls = []called{
	{"PIN", "", "Login=1"}, {"probe", "", "DecryptInit=3"}, {"canary of the old key", "", "FindObjectsInit=1"},
	{"key generation", "", "GenerateKey=2"}, {"canary", "after-key", "EncryptInit=1"},
	{"fleet", "after-key", "DecryptInit=3"}, {"first re-wrap", "after-key", "EncryptInit=2"},
	{"re-wrap", "after-key", "Decrypt=150"},
}

// eachEnd gives the ends to try in place i: in the next place others are the first.
func eachEnd(i int) []struct{ how, says string } {
	i %= len(ends)
	return slices.Concat(ends[i:], ends[:i])[:endsTried]
}

// TestCrashInInstall ends the module in each step of an install. The run says how, its
// transcript is sound so far, the same command continues, and there is one key.
func TestCrashInInstall(t *testing.T) {
	t.Parallel()
	for i, c := range installCalls {
		for _, end := range eachEnd(i) {
			t.Run(fmt.Sprintf("%d %s", i, end.how), func(t *testing.T) {
				t.Parallel()
				fault := pkcs11test.NewFault(t)
				parts := partsWith(t, t.TempDir(), fault.Module)
				crash(t, parts, fault, c, end, unattended(parts, "install"))
				if n := fault.Count("token"); n != 1 {
					t.Errorf("%s: %d keys were made", c.step, n)
				}
				if all := pkcs11test.Objects(t, rehearsal.PIN); strings.Count(all, "kek-") != 1 {
					t.Errorf("%s: on the token:\n%s", c.step, all)
				}
			})
		}
	}
}

// TestCrashInRotation does the same in each step of rotations, each to the next
// version. Every envelope is readable before and after.
func TestCrashInRotation(t *testing.T) {
	t.Parallel()
	const n = 120
	fault := pkcs11test.NewFault(t)
	parts, a := swiftWith(t, t.TempDir(), fault.Module, n)
	to := 1
	for i, c := range rotateCalls {
		for _, end := range eachEnd(i + 1) {
			to++
			crash(t, parts, fault, c, end, unattended(parts, "rotate", "--to-version", fmt.Sprint(to)), func() {
				for i := range n {
					if v, err := a.Read(t.Context(), i); err != nil || int(v) != to && int(v) != to-1 {
						t.Fatalf("%s, %s: record %d: version %d, %v", c.step, end.how, i, v, err)
					}
				}
			})
			if made := fault.Count("token"); made != to {
				t.Fatalf("%s, %s: %d keys were made, want %d", c.step, end.how, made, to)
			}
		}
	}
	must(t, append([]string{"transcript", "verify"}, bundlesOf(t, parts)...)...)
}

// patience gives a call five seconds, until it is taken back.
func patience(t *testing.T, parts rehearsal.Parts) (back func()) {
	const usual, short = "    environment:", "    deadline: 5s\n    environment:"
	configure(t, parts, usual, short)
	return func() { configure(t, parts, short, usual) }
}

// crash runs a command with the fault, looks at what is left, and runs it again
// without. Meanwhile is tried in between and at the end.
func crash(
	t *testing.T, parts rehearsal.Parts, fault *pkcs11test.Fault, c called, end struct{ how, says string }, args []string,
	meanwhile ...func(),
) {
	t.Helper()
	back := func() {}
	if end.how == "hang" {
		back = patience(t, parts)
	}
	fault.Set(c.faults(end.how)...)
	code, _, errs := run(t, args...)
	fault.Set()
	back()
	want := 75
	if code != want || !strings.Contains(errs, end.says) || !strings.Contains(errs, "hint: ") {
		t.Errorf("%s, %s: exit %d, want %d\n%s", c.step, end.how, code, want, errs)
	}
	all := bundlesOf(t, parts)
	last := all[len(all)-1]
	if code, out, _ := run(t, "transcript", "verify", last); code != 5 {
		t.Errorf("%s, %s: the transcript so far: exit %d\n%s", c.step, end.how, code, out)
	}
	for _, try := range meanwhile {
		try()
	}
	must(t, args...)
	must(t, "transcript", "verify", last)
	for _, try := range meanwhile {
		try()
	}
	if _, err := os.Stat(filepath.Join(parts.Dir, "pin.refused")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s, %s: the PIN is marked as refused", c.step, end.how)
	}
}

// again waits for a failure, and tries the step once more with a module that works.
func (p *pane) again(parts rehearsal.Parts, fault *pkcs11test.Fault, says string) {
	p.t.Helper()
	s := p.goOn(parts, regexp.MustCompile(`Refused`))
	if words := strings.Fields(strings.ReplaceAll(s, "│", " ")); !strings.Contains(strings.Join(words, " "), says) {
		p.t.Errorf("want %q:\n%s", says, s)
	}
	fault.Set()
	p.tmux("send-keys", "r")
}

// TestCrashInWizard ends the module in one wizard after the other step, and each time
// somebody tries again: PIN, probe, and the step that it was in.
func TestCrashInWizard(t *testing.T) {
	t.Parallel()
	fault := pkcs11test.NewFault(t, "Initialize=1:segv")
	parts := partsWith(t, t.TempDir(), fault.Module)
	patience(t, parts)

	p := wizardOf(t, parts, "install")
	p.goOn(parts, regexp.MustCompile(`Refused`))
	p.givesUp()
	restored(t, p, 75)

	p = wizardOf(t, parts, "install")
	p.again(parts, fault, "SIGSEGV")
	p.goOn(parts, regexp.MustCompile(`PIN of token`))
	fault.Set("Login=1:hang")
	p.again(parts, fault, "it did not answer for 5s")
	p.goOn(parts, regexp.MustCompile(`PIN of token`))
	fault.Set("EncryptInit=5:abort")
	p.again(parts, fault, "SIGABRT")
	p.goOn(parts, regexp.MustCompile(`of 13  approve`))
	fault.Set("GenerateKey=1:exit")
	p.again(parts, fault, "exit status 3")
	p.goOn(parts, regexp.MustCompile(`PIN of token`))
	p.goOn(parts, regexp.MustCompile(`Where else`))
	p.goOn(parts, regexp.MustCompile(`EXIT 0`))
	restored(t, p, 0)

	a := application(t, parts)
	a.Active = 1
	const n = 300
	if err := a.Write(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	fleet(t, parts)
	p = wizardOf(t, parts, "rotate", "--to-version", "2", "--rate", "25", "--processes", "1")
	p.goOn(parts, regexp.MustCompile(`approve-key`))
	fault.Set("EncryptInit=1:segv") // the canary
	p.again(parts, fault, "SIGSEGV")
	p.goOn(parts, regexp.MustCompile(`PIN of token`))
	p.goOn(parts, regexp.MustCompile(`Where else`))
	fault.Set("DecryptInit=1:abort") // the fleet's proofs
	p.again(parts, fault, "SIGABRT")
	p.goOn(parts, regexp.MustCompile(`of \d+  approve[ \n]`))
	fault.Set("EncryptInit=20:hang") // the re-wrap
	p.again(parts, fault, "it did not answer for 5s")
	p.goOn(parts, regexp.MustCompile(`state      running`))
	pkcs11test.Run(t, "kill", "-9", fmt.Sprint(keeperOf(t, pidOf(t, "^"+binary+" rotate .*"+parts.Dir))))
	p.again(parts, fault, "signal: killed")
	p.goOn(parts, regexp.MustCompile(`EXIT 0`))
	restored(t, p, 0)

	whole(t, parts, a, n)
	if made := fault.Count("token"); made != 2 {
		t.Errorf("%d keys were made, want 2", made)
	}
}
