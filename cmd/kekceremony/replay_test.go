package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// TestReplayOnTerminal: pages turn with Enter, what is typed signs nothing, and stopping is no failure.
func TestReplayOnTerminal(t *testing.T) {
	t.Parallel()
	pkcs11test.Need(t, "tmux")
	bundle, err := filepath.Abs("../../transcripts/good-v2/2026-11-26T053543Z-0002-rotate")
	if err != nil {
		t.Fatal(err)
	}
	p := newPane(t, binary+" transcript replay "+bundle+"; echo EXIT $?; cat")
	for _, page := range []string{"A ceremony that was held", "step 1 of 19"} {
		open := func() bool { // a page that is new takes no key
			s := p.screen()
			return strings.Contains(s, page) && strings.Contains(s, "enter next page") && strings.Contains(s, "REPLAY")
		}
		if !await(open) {
			t.Fatalf("never saw %q", page)
		}
		p.tmux("send-keys", "Enter")
	}
	p.until("alice: type alice to sign")
	p.tmux("send-keys", "alice")
	p.tmux("send-keys", "C-c")
	page := p.until("Stop here?")
	if !strings.Contains(page, "► alice") || strings.Contains(page, "sign > a") {
		t.Errorf("a replay takes words:\n%s", page)
	}
	p.tmux("send-keys", "y")
	p.until("EXIT 0")
}

// TestReplayPrinted: without a terminal, or with --ui none, all pages are printed as plain lines, and nothing waits.
func TestReplayPrinted(t *testing.T) {
	t.Parallel()
	const bundle = "../../transcripts/good-v2/2026-11-26T053543Z-0002-rotate"
	said := must(t, "transcript", "replay", bundle)
	for _, flags := range [][]string{{"--ui", "none"}, {"--ui", "line"}, {"--speed", "1"}} {
		if other := must(t, append([]string{"transcript", "replay", bundle}, flags...)...); other != said {
			t.Errorf("with %v it prints something else:\n%s", flags, other)
		}
	}
	for _, page := range []string{"== kekceremony rotate 1 -> 2, REPLAY: A ceremony that was held ==",
		"REPLAY, step 1 of 19: Roster and quorum ==", "  Answered: Vault 3, Example Street 1\n", "[signed] alice",
		"REPLAY, done", "Final digest:\n"} {
		_, after, found := strings.Cut(said, page)
		if !found {
			t.Fatalf("after the pages before, it never says %q:\n%s", page, said)
		}
		said = after
	}
	if code, out, errs := run(t, "transcript", "replay", bundle, "--ui", "tui"); code != 2 || out != "" ||
		!strings.Contains(errs, "no terminal") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}
