package pkcs11_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	miekg "github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

const (
	byMessages = "; by messages"
	oneCall    = "PKCS#11 3.0: one call for each operation, not two; IV made by the "
	byTwoCalls = "; by two calls, since a message failed: "
)

// set is a token behind the fault module with settings of its own, logged in.
func set(t *testing.T, cfg pkcs11.Config, modes ...string) (*pkcs11.Provider, *pkcs11test.Fault) {
	t.Helper()
	pkcs11test.NewTokens(t, pkcs11test.Label)
	fault := pkcs11test.NewFault(t, modes...)
	cfg.ModulePath, cfg.TokenLabel = fault.Module, pkcs11test.Label
	p, err := pkcs11.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if err := logIn(t, p, pkcs11test.PIN); err != nil {
		t.Fatal(err)
	}
	return p, fault
}

// messagesLine is what the probe says of messages.
func messagesLine(t *testing.T, p *pkcs11.Provider) string {
	t.Helper()
	line, err := p.TryMessages()
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// rewrapped re-wraps, demands that every answer is right, and returns what the provider says of its workers.
func rewrapped(t *testing.T, p *pkcs11.Provider, all []provider.Item) string {
	t.Helper()
	answers, err := p.Rewrap(t.Context(), all, kek.NameOf(chain, 2))
	if err != nil {
		t.Fatal(err)
	}
	right(t, p, all, answers)
	return p.Workers()
}

// TestMessages: a re-wrap is three calls where the token has messages, and six where it has
// none. The IV has the origin that it has without them.
func TestMessages(t *testing.T) {
	for _, c := range []struct {
		modes, iv, line string
		calls, length   int
	}{
		{"", "host", "note: not used: its interface 3.0: CKR_FUNCTION_NOT_SUPPORTED", 6, 60},
		{"messages", "host", oneCall + "host", 3, 60},
		{"messages,message-params", "host", oneCall + "host", 3, 60},
		{"messages,written-iv", "written", oneCall + "token", 3, 60},
		{"messages,appended-iv", "appended", oneCall + "token", 3, 64},
	} {
		t.Run("with "+strings.ReplaceAll(c.modes, ",", " "), func(t *testing.T) {
			p, fault := set(t, pkcs11.Config{Sessions: 1}, append(strings.Split(c.modes, ","), "tell")...)
			if line := messagesLine(t, p); line != c.line {
				t.Errorf("the probe says %q", line)
			}
			all := items(t, p, 100)
			rewrapped(t, p, all) // begins the operations
			before := fault.Count("cipher")
			answers, err := p.Rewrap(t.Context(), all, kek.NameOf(chain, 2))
			if n := fault.Count("cipher") - before; err != nil || n != c.calls*len(all) {
				t.Errorf("%d calls for %d re-wraps, %v", n, len(all), err)
			}
			right(t, p, all, answers)
			about, _ := p.Describe(t.Context())
			if about["iv"] != c.iv || len(answers[0].New) != c.length {
				t.Errorf("IV %s, %d bytes", about["iv"], len(answers[0].New))
			}
			if by := strings.HasSuffix(p.Workers(), byMessages); by != (c.calls == 3) {
				t.Errorf("workers: %s", p.Workers())
			}
		})
	}
}

// TestMessagesOff: by the configuration, for a module that crashes on them.
func TestMessagesOff(t *testing.T) {
	never := false
	p, _ := set(t, pkcs11.Config{UseMessages: &never}, "messages", "GetInterface+1:segv", "MessageEncryptInit+1:segv")
	if line := messagesLine(t, p); !strings.HasPrefix(line, "note: not used: use_messages is false") {
		t.Errorf("the probe says %q", line)
	}
	rewrapped(t, p, items(t, p, 10))
}

// TestMessagesProbed: the probe has a line of its own for messages.
func TestMessagesProbed(t *testing.T) {
	p, _ := faulty(t, "messages")
	var line string
	if err := p.Probe(t.Context(), func(v provider.Verdict) {
		if v.Line == "messages" {
			line = string(v.Outcome) + " " + v.Detail
		}
	}); err != nil || line != "ok "+oneCall+"host" {
		t.Errorf("%q, %v", line, err)
	}
	rewrapped(t, p, items(t, p, 10)) // the probe's key is gone, and the lanes with it
	if !strings.HasSuffix(p.Workers(), byMessages) {
		t.Errorf("workers: %s", p.Workers())
	}
}

// TestMessagesOnNSS: a token that somebody else wrote, with messages of its own: with the host's
// IV as it takes one, and, where the module before it demands that, with the token's.
func TestMessagesOnNSS(t *testing.T) {
	pkcs11test.Need(t, "certutil")
	found, _ := filepath.Glob("/usr/lib/*/libsoftokn3.so") // the pattern is right
	if len(found) == 0 {
		pkcs11test.Missing(t, "NSS softokn")
	}
	for mode, iv := range map[string]string{"": "host", "messages": "host", "messages,written-iv": "written"} {
		t.Run("with "+strings.ReplaceAll(mode, ",", " "), func(t *testing.T) {
			p := onNSS(t, found[0], mode)
			all := wrapped(t, p, 300)
			for range 3 { // with more sessions
				if by := rewrapped(t, p, all); !strings.HasSuffix(by, byMessages) {
					t.Fatalf("workers: %s; %s", by, messagesLine(t, p))
				}
			}
			if about, _ := p.Describe(t.Context()); about["iv"] != iv {
				t.Errorf("IV %s, want %s", about["iv"], iv)
			}
		})
	}
}

// onNSS is a token of NSS softokn with two versions, behind the fault module if there are modes.
func onNSS(t *testing.T, nss, modes string) *pkcs11.Provider {
	t.Helper()
	dir, module := t.TempDir(), nss
	pin := filepath.Join(dir, "pin")
	if err := os.WriteFile(pin, []byte("nsspin12"), 0o600); err != nil {
		t.Fatal(err)
	}
	pkcs11test.Run(t, "certutil", "-N", "-d", "sql:"+dir, "-f", pin)
	if modes != "" {
		module = pkcs11test.NewFault(t, append(strings.Split(modes, ","), "module "+nss)...).Module
	}
	p, err := pkcs11.Open(pkcs11.Config{ModulePath: module, TokenLabel: "NSS Certificate DB", LoadByPath: modes == "",
		InitArgs: fmt.Sprintf("configdir='sql:%s' certPrefix='' keyPrefix='' secmod='secmod.db' flags=", dir)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if err := logIn(t, p, "nsspin12"); err != nil {
		t.Fatal(err)
	}
	// Softokn stores no key that has CKA_COPYABLE, so these are made without the provider, in the
	// same library.
	ctx, a := miekg.New(nss), miekg.NewAttribute
	slots, err := ctx.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ctx.OpenSession(slots[len(slots)-1], miekg.CKF_SERIAL_SESSION|miekg.CKF_RW_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	for v := range kek.Version(2) {
		n := kek.NameOf(chain, v+1)
		aes := []*miekg.Mechanism{miekg.NewMechanism(miekg.CKM_AES_KEY_GEN, nil)}
		if _, err := ctx.GenerateKey(s, aes, []*miekg.Attribute{
			a(miekg.CKA_VALUE_LEN, kek.Size), a(miekg.CKA_TOKEN, true), a(miekg.CKA_LABEL, n.Label), a(miekg.CKA_ID, n.ID),
			a(miekg.CKA_ENCRYPT, true), a(miekg.CKA_DECRYPT, true),
		}); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// TestHostileMessages: messages that are not there, or lie, are not used; the probe says why, and
// the re-wrap goes on as without them.
func TestHostileMessages(t *testing.T) {
	for i, c := range []struct{ modes, says string }{
		{"GetInterface+1:5", "its interface 3.0: CKR_GENERAL_ERROR"},
		{"no-interface", "C_GetInterface answers no function list"},
		{"no-list", "C_GetInterface answers no function list"},
		{"strange-list", "C_GetInterface answers no function list"},
		{"short-list", "C_GetInterface answers no function list"},
		{"old-list", "C_GetInterface, asked for 3.0, answers a function list of 2.40"},
		{"null-message", "the function list of C_GetInterface lacks a function for messages"},
		{"data-message", "the function list of C_GetInterface lacks a function for messages"},
		{"unlisted", "CKM_AES_GCM cannot encrypt and decrypt messages"},
		{"MessageEncryptInit+1:54", "CKR_FUNCTION_NOT_SUPPORTED"},
		{"MessageEncryptInit+1:90", "CKR_OPERATION_ACTIVE"},
		{"MessageDecryptInit+1:90", "CKR_OPERATION_ACTIVE"},
		{"EncryptMessage+1:54", "CKR_FUNCTION_NOT_SUPPORTED"},
		{"DecryptMessage+1:70", "CKR_MECHANISM_INVALID"},
		{"EncryptMessage+1:more1", tooLong},
		{"DecryptMessage+1:unavailable", tooLong},
		{"short-tag", "what a message wrapped does not unwrap by two calls: CKR_GENERAL_ERROR"},
		{"long-tag", "impossible answer of the module: it changed what it was given"},
		{"tag-bits", "impossible answer of the module: it changed what it was given"},
		{"message-iv-changed", "the token changed the IV it was given"},
		{"message-zero-iv", "what a message wrapped does not unwrap by two calls: CKR_GENERAL_ERROR"},
		{"written-iv,message-iv-again", "two operations began with the same IV"},
		{"written-iv,message-iv-few", "an IV was used twice in 4 messages"},
		{"message-lax", "an altered tag was accepted in a message"},
		{"OpenSession+1:b1", "open a session for messages: CKR_SESSION_COUNT"},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			p, fault := faulty(t, append(strings.Split(c.modes, ","), "messages")...)
			if line := messagesLine(t, p); !strings.HasPrefix(line, "note: not used: ") || !strings.Contains(line, c.says) {
				t.Errorf("%s: the probe says %q, want %s", c.modes, line, c.says)
			}
			all := items(t, p, 20)
			if by := rewrapped(t, p, all); strings.Contains(by, "messages") {
				t.Errorf("%s: workers: %s", c.modes, by)
			}
			fault.Set()
		})
	}
}

// TestMessagesFail: a message that fails in the middle of a batch. Each envelope is re-wrapped all
// the same, by two calls, and no answer is another one than it should be.
func TestMessagesFail(t *testing.T) {
	const changed = "impossible answer of the module: it changed what it was given"
	for i, c := range []struct {
		modes string
		by    string // what the re-wrap goes on by; empty: either, as the sessions happen to take turns
		why   string
	}{
		{"EncryptMessage=30:30", byMessages, ""},                           // once
		{"DecryptMessage=30:40", byMessages, ""},                           // once
		{"DecryptMessage=31:6", byMessages, ""},                            // once
		{"DecryptMessage=40:lost,EncryptMessage=90:b3", byMessages, ""},    // twice
		{"DecryptMessage=30:b3,EncryptInit=1:b3", byMessages, ""},          // the session is lost in both forms
		{"EncryptMessage=30:54", byTwoCalls, "CKR_FUNCTION_NOT_SUPPORTED"}, // once, which is enough
		{"MessageDecryptInit+1:90,EncryptMessage=9:90", "", ""},            // what was begun goes on
		{"EncryptMessage+30:6", byTwoCalls, "CKR_FUNCTION_FAILED"},         // each time
		{"corrupt-message", byTwoCalls, "CKR_GENERAL_ERROR"},               // each time
		{"DecryptMessage=31:unwritten", byTwoCalls, ""},
		{"DecryptMessage=30:unwritten", byTwoCalls, ""},
		{"long-tag", byTwoCalls, changed},
		{"message-iv-changed", byTwoCalls, "the token changed the IV it was given"},
		{"EncryptMessage=20:more1", byTwoCalls, tooLong},
		{"DecryptMessage=21:unavailable", byTwoCalls, tooLong},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			p, fault := faulty(t, "messages")
			all := items(t, p, 100)
			if by := rewrapped(t, p, all); !strings.HasSuffix(by, byMessages) {
				t.Fatalf("workers: %s", by)
			}
			fault.Set(append(strings.Split(c.modes, ","), "messages")...)
			for range 5 {
				rewrapped(t, p, all)
			}
			if by := p.Workers(); !strings.Contains(by, c.by) || !strings.HasSuffix(by, c.why) {
				t.Errorf("%s: workers: %s, want %s%s", c.modes, by, c.by, c.why)
			}
		})
	}
}

// TestMessagesCompared: what a message wrapped is unwrapped again and compared, as by two calls
// (promise 3), and an envelope that no key opens is not to blame for messages.
func TestMessagesCompared(t *testing.T) {
	p, fault := faulty(t, "messages")
	all := items(t, p, 60)
	spoilt := append([]provider.Item(nil), all...)
	bad := append([]byte(nil), all[7].Wrapped...)
	bad[59] ^= 1
	spoilt[7].Wrapped = bad
	for range 5 {
		answers, err := p.Rewrap(t.Context(), spoilt, kek.NameOf(chain, 2))
		if err != nil || answers[7].Err == nil || answers[7].New != nil {
			t.Fatalf("%v, %v", err, answers[7])
		}
		right(t, p, all[:7], answers[:7])
		for i, a := range answers[8:] {
			if a.Err != nil || a.New == nil {
				t.Errorf("item %d: %v", 8+i, a.Err)
			}
		}
	}
	if by := rewrapped(t, p, all); !strings.HasSuffix(by, byMessages) {
		t.Errorf("workers: %s", by)
	}
	// In both forms: nothing is left that could be right.
	fault.Set("messages", "corrupt")
	answers, err := p.Rewrap(t.Context(), all, kek.NameOf(chain, 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a.Err == nil || a.New != nil || !strings.Contains(a.Err.Error(), "unwrap what was just wrapped") {
			t.Errorf("%x, %v", a.New, a.Err)
		}
	}
	fault.Set("messages", "gone")
	if _, err := p.Rewrap(t.Context(), all, kek.NameOf(chain, 2)); !errors.Is(err, provider.ErrGone) {
		t.Errorf("gone: %v", err)
	}
}

// TestMessagesMixed: envelopes of several versions by turns. The operation that unwraps is begun again for
// each key.
func TestMessagesMixed(t *testing.T) {
	p, fault := faulty(t, "messages")
	all, two := items(t, p, 60), kek.NameOf(chain, 2)
	answers, err := p.Rewrap(t.Context(), all, two)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if i%2 == 0 {
			all[i] = provider.Item{From: two, Wrapped: answers[i].New}
		}
	}
	for _, mode := range []string{"", "message-params"} {
		fault.Set("messages", mode)
		if by := rewrapped(t, p, all); !strings.HasSuffix(by, byMessages) {
			t.Errorf("workers: %s", by)
		}
	}
}

// TestMessagesStop: after a message that failed, the rest of a chunk is done by two calls: an operation
// may be in any state.
func TestMessagesStop(t *testing.T) {
	p, fault := set(t, pkcs11.Config{Sessions: 1}, "messages")
	all := items(t, p, 40)
	rewrapped(t, p, all[:1])
	fault.Set("messages", "EncryptMessage=20:30", "EncryptMessage+21:segv")
	rewrapped(t, p, all)
}

// TestMessagesFewSessions: a session that re-wraps is worth more than messages.
func TestMessagesFewSessions(t *testing.T) {
	p, fault := set(t, pkcs11.Config{Sessions: 8}, "messages")
	all := items(t, p, 100)
	rewrapped(t, p, all[:1]) // one session, with lanes
	fault.Set("messages", "OpenSession+4:b1")
	if by := rewrapped(t, p, all); !strings.Contains(by, byTwoCalls+"open session on token") || p.Lanes() != 0 {
		t.Errorf("workers: %s; %d with lanes", by, p.Lanes())
	}
}

// TestMessagesMakeRoom: sessions that messages took are given back, also when messages were given up
// before, and the token is asked again.
func TestMessagesMakeRoom(t *testing.T) {
	p, fault := set(t, pkcs11.Config{Sessions: 2}, "messages")
	all := items(t, p, 100)
	rewrapped(t, p, all[:1]) // the first session has lanes, and does nothing from now on
	fault.Set("messages", "OpenSession=2:b1")
	if by := rewrapped(t, p, all); !strings.HasPrefix(by, "2, ") || !strings.Contains(by, byTwoCalls) || p.Lanes() != 0 {
		t.Errorf("workers: %s; %d with lanes", by, p.Lanes())
	}
}

// TestMessagesCount: a token that begins to count its IVs from zero in each operation, after it was
// tried. The second operation that begins so is the last.
func TestMessagesCount(t *testing.T) {
	p, fault := set(t, pkcs11.Config{Sessions: 2}, "messages", "written-iv")
	all := items(t, p, 100)
	rewrapped(t, p, all[:1])
	fault.Set("messages", "written-iv", "message-iv-again")
	if _, err := p.Find(t.Context(), kek.NameOf(chain, 2)); err != nil { // the lanes are opened again
		t.Fatal(err)
	}
	for range 3 {
		answers, err := p.Rewrap(t.Context(), all, kek.NameOf(chain, 2))
		if err != nil {
			t.Fatal(err)
		}
		right(t, p, all, answers)
		seen := map[string]bool{}
		for _, a := range answers {
			if iv := string(a.New[:12]); seen[iv] {
				t.Fatal("an IV was used twice")
			} else {
				seen[iv] = true
			}
		}
	}
	if by := p.Workers(); !strings.HasSuffix(by, "two operations began with the same IV") {
		t.Errorf("workers: %s", by)
	}
}

// TestLanesAreDropped: before the handle of a key can name another one.
func TestLanesAreDropped(t *testing.T) {
	p, _ := faulty(t, "messages")
	all, two := items(t, p, 10), kek.NameOf(chain, 2)
	for _, does := range []func() error{
		func() error { _, err := p.Find(t.Context(), two); return err },
		func() error { return p.Destroy(t.Context(), two) },
	} {
		rewrapped(t, p, all)
		if p.Lanes() == 0 {
			t.Fatal("there are no lanes")
		}
		if err := does(); err != nil || p.Lanes() != 0 {
			t.Errorf("%v, %d with lanes", err, p.Lanes())
		}
	}
}
