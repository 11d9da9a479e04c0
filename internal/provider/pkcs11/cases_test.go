package pkcs11_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// faulty is a token behind the fault module, logged in unless the fault is a mode of
// the login. Faults begin after that.
func faulty(t *testing.T, faults ...string) (*pkcs11.Provider, *pkcs11test.Fault) {
	t.Helper()
	pkcs11test.NewTokens(t, pkcs11test.Label)
	fault := pkcs11test.NewFault(t)
	p := open(t, fault.Module)
	if err := logIn(t, p, pkcs11test.PIN); err != nil {
		t.Fatal(err)
	}
	fault.Set(faults...)
	return p, fault
}

// TestP10: the IV is where the token puts it, and found by trying.
func TestP10(t *testing.T) {
	for _, c := range []struct {
		mode, iv string
		length   int // of a wrapped DEK
		line     string
	}{
		{"", "host", 60, "made by the host, 12 bytes, none repeated in 1000 wraps"},
		{"written-iv", "written", 60, "made by the token, written over the one it is given, 12 bytes, none repeated in "},
		{"appended-iv", "appended", 64, "made by the token, appended to its answer, 16 bytes, none repeated in "},
	} {
		t.Run(c.iv, func(t *testing.T) {
			p, _ := faulty(t, c.mode)
			var line string
			err := p.Probe(t.Context(), func(v provider.Verdict) {
				if v.Line == "IV" {
					line = v.Detail
				}
			})
			about, _ := p.Describe(t.Context())
			if err != nil || !strings.HasPrefix(line, c.line) || about["iv"] != c.iv {
				t.Fatalf("%v, %q, mode %s", err, line, about["iv"])
			}
			all := items(t, p, 50)
			if n := len(all[0].Wrapped); n != c.length {
				t.Errorf("a wrapped DEK of %d bytes, want %d", n, c.length)
			}
			answers, err := p.Rewrap(t.Context(), all, kek.NameOf(chain, 2))
			if err != nil {
				t.Fatal(err)
			}
			right(t, p, all, answers)
		})
	}
}

// TestP10Refused: an IV that is constant, or all zeros, is refused by the probe and by
// every wrap.
func TestP10Refused(t *testing.T) {
	for mode, says := range map[string]string{
		"zero-iv":     "an IV was used twice in 2 wraps",
		"constant-iv": "an IV was used twice in 2 wraps",
		"cycle-iv":    "an IV was used twice in 3001 wraps",
	} {
		p, _ := faulty(t, mode)
		var failed *provider.ProbeError
		if _, err := probe(t, p); !errors.As(err, &failed) || failed.Line != "IV" || failed.Detail != says {
			t.Errorf("%s: %v", mode, err)
		}
		p.Close()
	}
}

// TestProbeLines: what else tokens do, each by its line.
func TestProbeLines(t *testing.T) {
	for i, c := range []struct{ mode, line, detail string }{
		{"gcm-fails", "IV", "CKR_MECHANISM_INVALID"},
		{"corrupt", "round trip", "CKR_GENERAL_ERROR"},
		{"other-key", "round trip", "CKR_GENERAL_ERROR"},
		{"mute", "key", "key of the probe: local is unknown, want true"},
		{"GenerateKey=1:70", "key", "CKR_MECHANISM_INVALID"},
		{"EncryptInit+1:2", "IV", "CKR_HOST_MEMORY"},
		{"vendor-gcm", "mechanism", "CKM_AES_GCM: CKR_MECHANISM_INVALID; it has CKM_CLOUDHSM_AES_GCM"},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) { // SoftHSM2 takes a # in a path for a comment
			p, fault := faulty(t, c.mode)
			var failed *provider.ProbeError
			if _, err := probe(t, p); !errors.As(err, &failed) || failed.Line != c.line ||
				!strings.Contains(failed.Detail, c.detail) {
				t.Errorf("got %v, want line %s: %s", err, c.line, c.detail)
			}
			fault.Set()
			if left := pkcs11test.Objects(t, pkcs11test.PIN); left != "" {
				t.Errorf("the probe left objects:\n%s", left)
			}
		})
	}
	t.Run("small-size", func(t *testing.T) { // only noted
		p, _ := faulty(t, "small-size")
		var detail string
		err := p.Probe(t.Context(), func(v provider.Verdict) {
			if v.Line == "size query" {
				detail = v.Detail
			}
		})
		if err != nil || !strings.HasPrefix(detail, "note: it reports 32 bytes where 48 come") {
			t.Errorf("%v, %q", err, detail)
		}
	})
}

// TestP01P02P03: the PIN's counters, the token's refusals, and a keypad. There is
// never more than one attempt, and none where the token says that it is the last.
func TestP01P02P03(t *testing.T) {
	for _, c := range []struct {
		name, mode string
		want       error
		says       string
		attempts   int
		asked      bool
	}{
		{"P01 locked", "pin-locked", provider.ErrPINLocked, "CKF_USER_PIN_LOCKED", 0, false},
		{"P01 the final try", "pin-final", provider.ErrFinalTry, "CKF_USER_PIN_FINAL_TRY", 0, true},
		{"P01 the final try since the question", "pin-turns", provider.ErrFinalTry, "CKF_USER_PIN_FINAL_TRY", 0, true},
		{"P01 count low", "pin-low", nil, "", 1, true},
		{"P02 expired", "Login=1:a3", provider.ErrPINRefused, "CKR_PIN_EXPIRED", 0, true},
		{"P02 length", "Login=1:a2", provider.ErrPINRefused, "CKR_PIN_LEN_RANGE", 0, true},
		{"P02 locked by this try", "Login=1:a4", provider.ErrPINLocked, "CKR_PIN_LOCKED", 0, true},
		{"P02 not initialized", "Login=1:102", nil, "CKR_USER_PIN_NOT_INITIALIZED", 0, true},
		{"P02 logged in already", "Login=1:100", nil, "", 0, true},
		{"P02 somebody else is", "Login=1:104", nil, "CKR_USER_ANOTHER_ALREADY_LOGGED_IN", 0, true},
		{"P03 keypad", "pin-path", nil, "", 1, false},
		{"P03 keypad, nobody typed", "pin-path,Login=1:50", provider.ErrPINRefused, "CKR_FUNCTION_CANCELED", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			pkcs11test.NewTokens(t, pkcs11test.Label)
			fault := pkcs11test.NewFault(t)
			p := open(t, fault.Module)
			fault.Set(strings.Split(c.mode, ",")...)
			tries, err := p.Tries(t.Context())
			if err == nil && tries.Ask {
				err = p.Enter(t.Context(), typed(pkcs11test.PIN))
			}
			if err == nil {
				err = p.Login(t.Context(), false)
			}
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) ||
				c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %s", err, c.says)
			}
			if c.want == nil && (errors.Is(err, provider.ErrPINRefused) || errors.Is(err, provider.ErrPINLocked)) {
				t.Errorf("%v is about the PIN", err)
			}
			if n := fault.Count("login"); n != c.attempts || tries.Ask != c.asked {
				t.Errorf("%d attempts, asked %t, want %d and %t", n, tries.Ask, c.attempts, c.asked)
			}
			if c.mode == "pin-low" && !strings.Contains(tries.Warning, "a wrong PIN was entered") {
				t.Errorf("warned %q", tries.Warning)
			}
		})
	}
}

// TestP02Short: a stray word at the prompt is no attempt, where the token names the
// length of its shortest PIN (SoftHSM2: 4 bytes).
func TestP02Short(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	fault := pkcs11test.NewFault(t)
	p := open(t, fault.Module)
	for typedIn, attempts := range map[string]int{"123": 0, "1235": 1} {
		before := fault.Count("login")
		if err := p.Enter(t.Context(), typed(typedIn)); err != nil {
			t.Fatal(err)
		}
		err := p.Login(t.Context(), false)
		if !errors.Is(err, provider.ErrPINRefused) || errors.Is(err, provider.ErrUntried) != (attempts == 0) {
			t.Errorf("%s: %v", typedIn, err)
		}
		if n := fault.Count("login") - before; n != attempts {
			t.Errorf("%s: %d attempts, want %d", typedIn, n, attempts)
		}
	}
}

// TestP01After: what the token reports after a refused PIN is told with it.
func TestP01After(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	fault := pkcs11test.NewFault(t)
	p := open(t, fault.Module)
	for mode, says := range map[string]string{
		"pin-final":  "CKR_PIN_INCORRECT: PIN refused; the next wrong PIN locks it",
		"pin-locked": "CKR_PIN_INCORRECT: PIN refused; it is locked now",
	} {
		fault.Set("Login=1:wait")
		turned, before := make(chan error, 1), fault.Count("wait")
		go func() {
			fault.Await("wait", before) // the attempt is being made
			turned <- pkcs11test.Configure(fault.Module, mode)
		}()
		err := logIn(t, p, "4321")
		if err == nil || !strings.Contains(err.Error(), says) || !errors.Is(err, provider.ErrPINRefused) {
			t.Errorf("%s: %v", mode, err)
		}
		if err := <-turned; err != nil {
			t.Fatal(err)
		}
	}
}

// TestP06: the key was made and the answer was lost. It is found again by its CKA_ID,
// and nobody makes a second one.
func TestP06(t *testing.T) {
	p, fault := faulty(t, "lost-reply")
	n := kek.NameOf(chain, 1)
	if err := p.Generate(t.Context(), n); !errors.Is(err, provider.ErrGone) {
		t.Fatalf("got %v", err)
	}
	fault.Set()
	if k, err := p.Find(t.Context(), n); err != nil || k.Doubt != nil {
		t.Errorf("%v, doubt %v", err, k.Doubt)
	}
}

// TestP08: what cannot be read of a key is unknown, and doubted.
func TestP08(t *testing.T) {
	p, fault := faulty(t)
	n := kek.NameOf(chain, 1)
	if err := p.Generate(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	for mode, says := range map[string]string{"mute": "local is unknown", "not-local": "local is false"} {
		fault.Set(mode)
		if k, err := p.Find(t.Context(), n); err != nil || k.Doubt == nil || !strings.Contains(k.Doubt.Error(), says) ||
			k.Attributes["sensitive"] != "true" {
			t.Errorf("%s: %v, %v", mode, err, k)
		}
	}
}

// TestP08More: a key that can do more than wrap and unwrap by GCM, or is too short, is
// refused by the probe.
func TestP08More(t *testing.T) {
	for mode, says := range map[string]string{
		"grant 106": "wrap is true, want false",
		"grant 107": "unwrap is true, want false",
		"grant 10c": "derive is true, want false",
		"grant 162": "extractable is true, want false",
		"grant 170": "modifiable is true, want false",
		"grant 171": "copyable is true, want false",
		"short-key": "bytes is 16, want 32",
	} {
		p, _ := faulty(t, mode)
		var failed *provider.ProbeError
		if _, err := probe(t, p); !errors.As(err, &failed) || failed.Line != "key" || !strings.Contains(failed.Detail, says) {
			t.Errorf("%s: %v, want %s", mode, err, says)
		}
		p.Close()
	}
	// A token that knows no CKA_COPYABLE is asked without it. SoftHSM2 knows it, and
	// says what it then took.
	p, _ := faulty(t, "GenerateKey=1:12")
	if _, err := probe(t, p); err == nil || !strings.Contains(err.Error(), "copyable is true, want false") {
		t.Errorf("%v", err)
	}
}

// TestP06Strangers: a key is ours by its CKA_ID and its label, and by nothing less.
func TestP06Strangers(t *testing.T) {
	p, _ := faulty(t)
	stranger := func(id []byte, label string) {
		pkcs11test.Run(t, "pkcs11-tool", "--module", pkcs11test.Module(t), "--token-label", pkcs11test.Label,
			"--login", "--pin", pkcs11test.PIN,
			"--keygen", "--key-type", "AES:32", "--id", fmt.Sprintf("%x", id), "--label", label)
	}
	one, two, three := kek.NameOf(chain, 1), kek.NameOf(chain, 2), kek.NameOf(chain, 3)
	if err := p.Generate(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	stranger(one.ID, "somebody's") // beside ours
	stranger(two.ID, "somebody's") // alone
	stranger([]byte{7}, three.Label)
	for _, n := range []kek.Name{one, two, three} {
		if _, err := p.Find(t.Context(), n); !errors.Is(err, provider.ErrAmbiguous) {
			t.Errorf("%s: %v", n.Label, err)
		}
	}
}

// TestRewrapCompared: what was wrapped is unwrapped again and compared, for every DEK
// (promise 3). Neither a spoilt answer nor a token that opens it to something else
// gets into a store.
func TestRewrapCompared(t *testing.T) {
	p, fault := faulty(t)
	all := items(t, p, 5)
	for _, c := range []struct{ modes, says string }{
		{"corrupt", "unwrap what was just wrapped: "},
		{"corrupt,ignore-tag", "what was just wrapped unwraps to another value"},
		{"Decrypt+1:unwritten", "it unwraps to something that is no DEK"},
	} {
		modes, says := c.modes, c.says
		fault.Set(strings.Split(modes, ",")...)
		answers, err := p.Rewrap(t.Context(), all, kek.NameOf(chain, 2))
		if err != nil || len(answers) != len(all) {
			t.Fatalf("%s: %d answers, %v", modes, len(answers), err)
		}
		for _, a := range answers {
			if a.Err == nil || !strings.Contains(a.Err.Error(), says) || a.New != nil {
				t.Errorf("%s: %x, %v", modes, a.New, a.Err)
			}
		}
	}
	fault.Set()
	answers, err := p.Rewrap(t.Context(), all, kek.NameOf(chain, 2))
	if err != nil {
		t.Fatal(err)
	}
	right(t, p, all, answers)
}

// TestRewrapUnwritten: a token that answers that it unwrapped, and wrote nothing. What stood there
// before is no DEK, and is not compared with itself.
func TestRewrapUnwritten(t *testing.T) {
	p, fault := faulty(t)
	all, two := items(t, p, 1), kek.NameOf(chain, 2)
	if _, err := p.Rewrap(t.Context(), all, two); err != nil {
		t.Fatal(err)
	}
	for call, says := range map[string]string{
		"Decrypt=1:unwritten": "it unwraps to something that is no DEK",
		"Decrypt=2:unwritten": "what was just wrapped unwraps to another value",
	} {
		fault.Set(call)
		answers, err := p.Rewrap(t.Context(), all, two)
		if err != nil {
			t.Fatal(err)
		}
		if a := answers[0]; a.Err == nil || a.New != nil || !strings.Contains(a.Err.Error(), says) {
			t.Errorf("%s: %x, %v", call, a.New, a.Err)
		}
	}
}

// TestP11: a wrapped DEK with any bit changed, cut short or empty opens to nothing.
func TestP11(t *testing.T) {
	p, _ := faulty(t)
	all := items(t, p, 1)
	good := all[0].Wrapped
	into := make([]byte, kek.Size)
	one := kek.NameOf(chain, 1)
	for i := range 8 * len(good) {
		bad := bytes.Clone(good)
		bad[i/8] ^= 1 << (i % 8)
		if err := p.Unwrap(t.Context(), one, bad, into); err == nil {
			t.Fatalf("bit %d changed, and it opened", i)
		}
	}
	for _, n := range []int{0, 12, 28, 44, 56, 59} { // a tag of 96 bits among them
		if err := p.Unwrap(t.Context(), one, good[:n], into); err == nil {
			t.Errorf("%d bytes opened", n)
		}
	}
	if err := p.Unwrap(t.Context(), one, good, into); err != nil {
		t.Error(err)
	}
}

// TestP13: what the module says when it is opened, and of sessions.
func TestP13(t *testing.T) {
	for mode, says := range map[string]string{
		"Initialize=1:a":    "initialize module",
		"Initialize=1:9":    "CKR_NEED_TO_CREATE_THREADS",
		"OpenSession=1:b1":  "CKR_SESSION_COUNT",
		"GetTokenInfo=1:30": "CKR_DEVICE_ERROR",
		"OpenSession=1:e0":  "CKR_TOKEN_NOT_PRESENT",
	} {
		pkcs11test.NewTokens(t, pkcs11test.Label)
		fault := pkcs11test.NewFault(t, mode)
		p, err := pkcs11.Open(pkcs11.Config{ModulePath: fault.Module, TokenLabel: pkcs11test.Label})
		if err == nil {
			p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %s", mode, err, says)
		}
	}
	// An operation that was left active does not outlive its session.
	p, fault := faulty(t)
	all := items(t, p, 4)
	// OPERATION_ACTIVE, FUNCTION_FAILED, SESSION_HANDLE_INVALID, DEVICE_MEMORY
	for _, rv := range []string{"90", "6", "b3", "31"} {
		fault.Set("EncryptInit=1:" + rv)
		answers, err := p.Rewrap(t.Context(), all, kek.NameOf(chain, 2))
		if err != nil {
			t.Fatalf("%s: %v", rv, err)
		}
		right(t, p, all, answers)
	}
}

// TestP14: a file that others may change, or that is no module of this machine, is
// refused before anything of it runs.
func TestP14(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	dir := t.TempDir()
	build := func(name, source string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".c", []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		pkcs11test.Run(t, "gcc", "-shared", "-fPIC", "-o", path, path+".c")
		return path
	}
	good, err := os.ReadFile(pkcs11test.Module(t))
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, data []byte, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	other := bytes.Clone(good)
	other[18] ^= 0xff // e_machine of an ELF header
	open := put("open/module.so", good, 0o644)
	if err := os.Chmod(filepath.Dir(open), 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.so")
	if err := os.Symlink(open, link); err != nil {
		t.Fatal(err)
	}
	theirs, under := put("theirs.so", good, 0o644), put("under/module.so", good, 0o644)
	for _, path := range []string{theirs, filepath.Dir(under)} {
		if err := os.Chown(path, 1, -1); errors.Is(err, os.ErrPermission) {
			pkcs11test.Missing(t, "root, to give a file away; the right to")
		} else if err != nil {
			t.Fatal(err)
		}
	}
	const list = "unsigned long C_GetFunctionList(void **l) "
	for name, c := range map[string]struct{ path, says string }{
		"another user's":             {theirs, "its owner is neither root nor this user"},
		"below another user's":       {under, "under: its owner is neither root nor this user"},
		"world-writable":             {put("world.so", good, 0o666), "mode 0666 lets others change it"},
		"group-writable":             {put("group.so", good, 0o664), "mode 0664 lets others change it"},
		"in a directory of everyone": {open, "open: mode 0777 lets others change it"},
		"a link to such a place":     {link, "open: mode 0777 lets others change it"},
		"another machine":            {put("other.so", other, 0o644), "not a PKCS#11 module for this machine"},
		"cut short":                  {put("short.so", good[:len(good)/2], 0o644), "the file is cut short"},
		"no C_GetFunctionList":       {build("none.so", "int nothing;\n"), "not a PKCS#11 module for this machine"},
		"it refuses the list":        {build("refuses.so", list+"{ *l = 0; return 5; }\n"), "no function list"},
		"an empty list":              {build("empty.so", list+"{ *l = 0; return 0; }\n"), "no function list"},
		"a directory":                {dir, "not a regular file"},
	} {
		p, err := pkcs11.Open(pkcs11.Config{ModulePath: c.path, TokenLabel: pkcs11test.Label})
		if err == nil {
			p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s", name, err, c.says)
		}
	}
}

// TestP05: tokens are told apart by their serial, and slots may be numbered again.
func TestP05(t *testing.T) {
	pkcs11test.NewTokens(t, "other", pkcs11test.Label, "third")
	fault := pkcs11test.NewFault(t)
	n := kek.NameOf(chain, 1)
	for _, renumber := range []string{"", "renumber 7", "renumber 1000"} {
		fault.Set(renumber)
		p := open(t, fault.Module)
		if err := logIn(t, p, pkcs11test.PIN); err != nil {
			t.Fatal(err)
		}
		if renumber == "" {
			if err := p.Generate(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := p.Find(t.Context(), n); err != nil {
			t.Errorf("%s: %v", renumber, err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestP14Swapped: a module that puts another file in its own place while it is loaded.
// What was hashed is what runs, or it is refused.
func TestP14Swapped(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	for _, byPath := range []bool{false, true} {
		dir := t.TempDir()
		module, source := filepath.Join(dir, "swaps.so"), filepath.Join(dir, "swaps.c")
		text := fmt.Sprintf(`#define _GNU_SOURCE
#include <stdio.h>
#include <dlfcn.h>
__attribute__((constructor)) static void swap(void) {
	Dl_info me;
	FILE *f = fopen("%[1]s.name", "w");
	if (f && dladdr(swap, &me)) {
		fputs(me.dli_fname, f);
		fclose(f);
	}
	rename("%[1]s.other", "%[1]s");
}
unsigned long C_GetFunctionList(void **l) {
	void *real = dlopen("%[2]s", RTLD_NOW);
	return real ? ((unsigned long (*)(void **))dlsym(real, "C_GetFunctionList"))(l) : 5;
}
`, module, pkcs11test.Module(t))
		for path, text := range map[string]string{source: text, module + ".other": "another"} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		pkcs11test.Run(t, "gcc", "-shared", "-fPIC", "-o", module, source, "-ldl")
		sum, err := os.ReadFile(module)
		if err != nil {
			t.Fatal(err)
		}
		p, err := pkcs11.Open(pkcs11.Config{ModulePath: module, TokenLabel: pkcs11test.Label, LoadByPath: byPath})
		if byPath {
			if err == nil || !strings.Contains(err.Error(), "it changed while it was loaded") {
				t.Errorf("by its path: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		// What could be put there between hashing and loading would be loaded by its path.
		if name, err := os.ReadFile(module + ".name"); err != nil || !strings.HasPrefix(string(name), "/proc/self/fd/") {
			t.Errorf("loaded as %s, %v, want the descriptor", name, err)
		}
		about, err := p.Describe(t.Context())
		if want := fmt.Sprintf("%x", sha256.Sum256(sum)); err != nil || about["module_sha256"] != want {
			t.Errorf("digest %s, %v, want that of what runs, %s", about["module_sha256"], err, want)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
