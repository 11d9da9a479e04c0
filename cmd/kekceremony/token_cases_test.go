package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

var serialLine = regexp.MustCompile(`Serial number:\s*(\S+)`)

// serials lists those of all initialized tokens, as a stock tool lists them.
func serials(t *testing.T) (all []string) {
	t.Helper()
	for _, slot := range strings.Split(pkcs11test.Run(t, "softhsm2-util", "--show-slots"), "Slot ") {
		if m := serialLine.FindStringSubmatch(slot); m != nil && strings.Contains(slot, "Initialized:      yes") {
			all = append(all, m[1])
		}
	}
	return all
}

// secondToken makes another token of the rehearsal's label and PIN, and returns the
// serials of the first and of that one.
func secondToken(t *testing.T) (first, second string) {
	t.Helper()
	first = serials(t)[0]
	pkcs11test.Run(t, "softhsm2-util", "--init-token", "--free", "--label", rehearsal.TokenLabel, "--pin", rehearsal.PIN,
		"--so-pin", rehearsal.PIN)
	all := slices.DeleteFunc(serials(t), func(s string) bool { return s == first })
	if len(all) != 1 {
		t.Fatalf("serials beside %s: %v", first, all)
	}
	return first, all[0]
}

// TestP04 takes the token out in the middle of a re-wrap. Another one of the same label
// in its place is refused by its serial; with the first one back the same run continues.
func TestP04(t *testing.T) {
	t.Parallel()
	const n = 300
	fault := pkcs11test.NewFault(t)
	parts, a := swiftWith(t, t.TempDir(), fault.Module, n)
	first, second := secondToken(t)
	fault.Set("hide " + second)
	p := wizardOf(t, parts, "rotate", "--to-version", "2", "--rate", "30")
	p.goOn(parts, regexp.MustCompile(`state      running`))
	fault.Set("hide " + first)
	p.goOn(parts, regexp.MustCompile(`Refused(?s:.*)the token is not there`))
	logins := fault.Count("login")
	p.tmux("send-keys", "r")
	p.goOn(parts, regexp.MustCompile(`Refused: serial: was`))
	if s := strings.Join(strings.Fields(p.screen()), ""); !strings.Contains(s, "serial:was"+first+",is"+second) {
		t.Errorf("it does not tell which is which:\n%s", p.screen())
	}
	if n := fault.Count("login"); n != logins {
		t.Errorf("the other token got the PIN")
	}
	fault.Set("hide " + second)
	p.tmux("send-keys", "r")
	p.goOn(parts, regexp.MustCompile(`EXIT 0`))
	restored(t, p, 0)
	whole(t, parts, a, n)
	if made := fault.Count("token"); made != 2 {
		t.Errorf("%d keys were made, want 2", made)
	}

	// A new run compares with the last ceremony.
	fault.Set("hide " + first)
	if code, _, errs := run(t, rotateTo(parts, 3)...); code != 3 || !strings.Contains(errs, "serial: ") ||
		!strings.Contains(errs, "differs from the last ceremony") {
		t.Errorf("exit %d\n%s", code, errs)
	}
	if made := fault.Count("token"); made != 2 {
		t.Errorf("%d keys were made in the end, want 2", made)
	}

	// With the wrong one in first, the right one is taken once it is in.
	p = wizardOf(t, parts, "rotate", "--to-version", "3")
	p.goOn(parts, regexp.MustCompile(`Refused: serial: `))
	fault.Set("hide " + second)
	p.tmux("send-keys", "r")
	p.goOn(parts, regexp.MustCompile(`EXIT 0`))
	zeroAt(t, parts, 3)
}

// TestP04Agent: an agent comes back to the token it began with. Another one of that
// label gets no PIN of it.
func TestP04Agent(t *testing.T) {
	t.Parallel()
	fault := pkcs11test.NewFault(t)
	parts, _ := swiftWith(t, t.TempDir(), fault.Module, 6)
	first, second := secondToken(t)
	fault.Set("hide " + second)
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	logins := fault.Count("login")
	agent := program(t, "agent", "--role", "worker", "--config", parts.Config())
	agent.Stderr = said
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = agent.Process.Kill()
		_ = agent.Wait()
	}()
	fault.Await("login", logins)
	logins = fault.Count("login")
	fault.Set("hide " + first)
	looked := func() bool {
		text, err := os.ReadFile(said.Name())
		return err == nil && strings.Count(string(text), "of serial \""+first+"\": no such token") > 1
	}
	if !await(looked) {
		text, err := os.ReadFile(said.Name())
		t.Fatalf("it looks for no other: %v\n%s", err, text)
	}
	if n := fault.Count("login"); n != logins {
		t.Errorf("%d logins to the other token", n-logins)
	}
	fault.Set("hide " + second)
	fault.Await("login", logins)
}

// TestP09P16: a substituted HSM has the label, the serial and a key of the same name
// with the best of attributes. It does not open the canary, and nothing is done.
func TestP09P16(t *testing.T) {
	t.Parallel()
	fault := pkcs11test.NewFault(t)
	parts, a := swiftWith(t, t.TempDir(), fault.Module, 6)
	first, second := secondToken(t)
	p := openToken(t, parts, second)
	if err := p.Generate(t.Context(), kek.NameOf(a.Chain, 1)); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	fault.Set("hide "+first, "as "+first)
	code, _, errs := run(t, rotateTo(parts, 2)...)
	if code != 3 || !strings.Contains(errs, "the canary is not the one in the transcript: check canary of version 1") {
		t.Errorf("exit %d\n%s", code, errs)
	}
	if made := fault.Count("token"); made != 1 {
		t.Errorf("%d keys were made, want the install's", made)
	}
	zeroAt(t, parts, 1)
}

// TestTokenConfigured: what the configuration says of a token reaches it.
func TestTokenConfigured(t *testing.T) {
	t.Parallel()
	parts := partsWith(t, t.TempDir(), pkcs11test.Module(t))
	const at = "    environment:"
	was := at
	for _, c := range []struct {
		line, says string
		code       int
	}{
		{`token_serial: "4711"`, `of serial "4711": no such token`, 2},
		{"use_gcm_iv_from_hsm: true", "found mode host, but use_gcm_iv_from_hsm is true", 3},
		{"use_messages: false", "note: not used: use_messages is false", 0},
		{"identity: attested\n    identity_public: " + parts.Config(), "read the token's identity", 1},
		{"load_by_path: true", "by its path, and hashed before and after", 0},
	} {
		now := "    " + c.line + "\n" + at
		configure(t, parts, was, now)
		was = now
		code, out, errs := run(t, "probe", "--config", parts.Config(), "--ui", "none")
		if !strings.Contains(out+errs, c.says) || code != c.code {
			t.Errorf("%s: exit %d\n%s%s", c.line, code, out, errs)
		}
	}
}
