package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

const transcripts = "../../transcripts"

// secondVerifier is the script that the auditor's guide prints.
func secondVerifier(t *testing.T) string {
	t.Helper()
	guide, err := os.ReadFile("../../docs/auditors-guide.md")
	if err != nil {
		t.Fatal(err)
	}
	script := regexp.MustCompile("(?s)```sh\n(#!/bin/sh\n.*?)```").FindSubmatch(guide)
	if script == nil || strings.Count(string(script[1]), "\n") > 90 {
		t.Fatal("the guide prints no script of at most 90 lines")
	}
	path := filepath.Join(t.TempDir(), "check.sh")
	if err := os.WriteFile(path, script[1], 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// blind are the bad specimens that the second verifier does not tell from good ones, and
// what the auditor's guide says of each under "What stock tools do not prove".
var blind = map[string]string{
	"s09-nobody-touched-the-authenticator":               "made without a touch",
	"s09-the-user-was-not-verified":                      "without the PIN or finger that the roster requires",
	"s09-the-counter-went-back":                          "whose counter went back",
	"s17-an-approval-by-somebody-who-did-not-attend":     "every approver attended",
	"bound-without-a-version-that-it-makes":              "only the facts that its kind allows",
	"bound-in-a-word-of-its-own":                         "only the facts that its kind allows",
	"others-attended-than-signed":                        "exactly the people listed as attended signed",
	"an-approval-that-outlived-its-run":                  "no approval outlived its run",
	"closed-with-an-act-half-done":                       "no act is half done at the end",
	"an-outcome-of-its-own":                              "the outcome is done or aborted",
	"a-second-roster":                                    "there is one roster",
	"a-fact-in-a-line-of-another-kind":                   "only the facts that its kind allows",
	"words-with-an-escape-sequence":                      "words of a final",
	"words-with-a-backslash-of-their-own":                "words of a final",
	"words-that-are-too-long":                            "words of a final",
	"no-words-after-their-name":                          "words of a final",
	"s10-two-signatures-in-one-file":                     "A second signature",
	"s10-text-after":                                     "trailing text in a .sig file",
	"s10-other-lengths-of-lines":                         "other line lengths",
	"a-chain-that-is-none":                               "a chain that is not 32 hex digits",
	"an-abort-that-names-other-acts":                     "an abort names the acts",
	"an-abort-of-a-destruction-that-was-begun":           "a destruction that was begun is aborted only if",
	"a-key-kept-by-fewer-than-m":                         "only if the key was kept, by the provider or by M",
	"a-destruction-after-m-kept-the-key":                 "not completed after M kept the key",
	"attended-in-an-approval":                            "only the facts that its kind allows",
	"attendance-after-another-final":                     "the last final",
	"a-line-of-1969":                                     "Every time comes from the console's clock",
	"who-gave-it-up-in-a-found-line":                     "only the facts that its kind allows",
	"a-version-that-another-act-adopts":                  "adopted only as its plan names it",
	"a-version-adopted-that-the-plan-does-not-name":      "adopted only as its plan names it",
	"a-canary-of-what-was-not-adopted":                   "adopted only as its plan names it",
	"a-disable-of-a-version-that-the-plan-does-not-name": "disabled only as its plan names it",
	"a-disable-without-a-waiting-period":                 "disabled only as its plan names it",
	"a-disable-that-waits-for-nothing":                   "disabled only as its plan names it",
	"a-disable-with-a-waiting-period-in-days":            "disabled only as its plan names it",
	"an-enable-that-was-not-done":                        "What only format v2 demands",
	"void-without-its-note":                              "whether a bundle is void",
	"v2-a-first-line-without-its-script":                 "What only format v2 demands",
	"v2-attendance-without-the-last-final-digest":        "What only format v2 demands",
	"v2-a-request-without-a-nonce":                       "What only format v2 demands",
	"v2-a-nonce-for-a-stranger":                          "What only format v2 demands",
	"v2-others-approved-than-signed":                     "What only format v2 demands",
	"v2-a-re-wrap-whose-counts-do-not-add-up":            "What only format v2 demands",
	"v2-a-compromise-that-was-not-done":                  "What only format v2 demands",
	"v2-a-rotation-without-the-list-that-it-announced":   "What only format v2 demands",
	"v2-a-deviation-without-its-reason":                  "What only format v2 demands",
	"v2-closed-as-done-with-an-act-undone":               "What only format v2 demands",
	"v2-an-abort-that-does-not-name-the-acts":            "What only format v2 demands",
	"v2-a-format-of-its-own":                             "What only format v2 demands",
}

// specimenStep is how far apart the bad specimens are that the second verifier sees, which takes
// seconds for each; of the good ones it sees every fourth. make torture shows it all of both, and its
// brief form all good ones, and every eighth bad one.
var specimenStep = 16

// TestSpecimens runs our verifier on every specimen, and the second one.
func TestSpecimens(t *testing.T) {
	t.Parallel()
	if *update {
		makeChain(t)
		makeExposed(t)
	}
	script := secondVerifier(t)
	check := func(dir string) string {
		out, _ := exec.Command("sh", script, dir).CombinedOutput()
		return string(out)
	}
	good, err := filepath.Glob(filepath.Join(transcripts, "good*", "*"))
	if err != nil || len(good) < 6 {
		t.Fatalf("%d good specimens, %v", len(good), err)
	}
	for i, dir := range good {
		second := specimenStep < 16 || i%4 == 0
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			if code, out, errs := run(t, "transcript", "verify", "--stock", dir); code != 0 {
				t.Errorf("exit %d\n%s%s", code, out, errs)
			}
			if !second {
				return
			}
			if said := check(dir); said != "" {
				t.Errorf("the second verifier says\n%s", said)
			}
		})
	}
	for _, chain := range []string{"good", "good-v2", "good-life", "good-exposed", "good-words"} {
		if code, out, _ := run(t, "transcript", "verify", "--chain", filepath.Join(transcripts, chain)); code != 0 {
			t.Errorf("the chain %s: exit %d\n%s", chain, code, out)
		}
	}
	table, err := os.ReadFile(filepath.Join(transcripts, "bad", "verdicts"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if f[0] == "#" {
			continue
		}
		n++
		want, rule, dir := f[0], f[1], filepath.Join(transcripts, f[2])
		chain := strings.Contains(dir, "/chains/")
		second := !chain && n%specimenStep == 0 // it reads one bundle
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			args := []string{"transcript", "verify", "--json", dir}
			if chain {
				args = []string{"transcript", "verify", "--json", "--chain", dir}
			}
			code, out, errs := run(t, args...)
			if fmt.Sprint(code) != want || brokenRule(t, out) != rule {
				t.Errorf("exit %d, rule %s, want %s and %s\n%s", code, brokenRule(t, out), want, rule, errs)
			}
			if !second {
				return
			}
			if found := check(dir) != ""; found == (blind[filepath.Base(dir)] != "") {
				t.Errorf("the second verifier finds it: %t", found)
			}
		})
	}
	if n < 40 {
		t.Errorf("only %d bad specimens", n)
	}
	guide, err := os.ReadFile("../../docs/auditors-guide.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(guide), "\n## What stock tools do not prove\n")
	list, _, _ = strings.Cut(list, "\n## ")
	list = strings.Join(strings.Fields(list), " ")
	for name, says := range blind {
		if !strings.Contains(list, says) || !strings.Contains(string(table), "bad/"+name+"\n") {
			t.Errorf("%s: the guide's list does not say %q, or there is no such specimen", name, says)
		}
	}
}

func brokenRule(t *testing.T, out string) string {
	var found []struct {
		Rules []struct{ Rule, Standing string }
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rule := ""
	for _, f := range found {
		for _, r := range f.Rules {
			if r.Standing == "bad" || r.Standing == "incomplete" {
				rule = r.Rule // of a chain, the last finding is about all its bundles
			}
		}
	}
	return rule
}

// makeChain runs an install, a rotation and a change of people, in production, by people
// with temporary keys, as transcripts/README.md says.
func makeChain(t *testing.T) {
	const home = "/srv/kek" // its name is in the transcripts
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := hands{t, home, []transcripttest.Person{transcripttest.Operator(t, "alice"), transcripttest.Operator(t, "bob"),
		transcripttest.Touching(t, "dora"), transcripttest.Witness(t, "wendy"), transcripttest.Operator(t, "erin")}}
	put("roster", transcripttest.RosterOf(2, quorum.Production, h.people[:4]...))
	put("next", transcripttest.RosterOf(2, quorum.Production, h.people[1:]...))
	if err := os.Mkdir(filepath.Join(home, "transcripts"), 0o700); err != nil {
		t.Fatal(err)
	}
	put("store.db", "")
	put("config.yaml", "store: sqlite:"+home+"/store.db\ntranscripts: "+home+"/transcripts\n"+
		"encryption:\n  provider: env\n  env:\n    secrets_file: "+home+"/secrets.env\n"+
		"fleet: {beat: 1s, live: 4s, expect: {app: 1}}\n")
	now := time.Now().UTC().Format("2006-01-02 15:04")
	facts := "place: \"Vault 3, Example Street 1\"\nauthorised: security officer, ticket 4711\n" +
		"people: \"alice: Example Ltd, operator; bob: Example Ltd, operator; " +
		"dora: Example Ltd, operator; wendy: Audit Ltd, witness\"\n" +
		"clock: \"" + now + ", wendy\"\nbags: 100200 with the console's disk, wendy\n" +
		"evidence: wendy, and video 2026/17\nbags_out: 100201, the console's disk\n" +
		"clock_out: \"" + now + ", wendy\"\n"
	put("install.yaml", "ceremony: install\nroster: "+home+"/roster\nprovider: env\n"+
		"copies: sealed envelope 7 in safe B, alice and bob\nplanned_end: 2099-12-31\n"+
		facts+"differed: none\n")
	put("rotate.yaml", "ceremony: rotate\n"+
		"copies: sealed envelope 8 in safe B, alice and bob\nplanned_end: 2099-12-31\n"+
		facts+"differed: four people / carol was ill / continued with three operators / all who attended\n")
	put("roster.yaml", "ceremony: roster\nnext_roster: "+home+"/next\n"+facts+"differed: none\n")
	h.run("install", "--answers", home+"/install.yaml")
	agent := exec.Command("unshare", "-u", "sh", "-c",
		"hostname app1; exec "+binary+" agent --role app --config "+home+"/config.yaml")
	agent.Stderr = os.Stderr
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	h.run("rotate", "--to-version", "2", "--answers", home+"/rotate.yaml")
	_ = agent.Process.Signal(os.Interrupt)
	_ = agent.Wait()
	h.run("roster", "--answers", home+"/roster.yaml")
	good := filepath.Join(transcripts, "good-v2") // good is of an older program, and stays
	if err := os.RemoveAll(good); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(good, os.DirFS(filepath.Join(home, "transcripts"))); err != nil {
		t.Fatal(err)
	}
}

// hands are people who sign whatever is laid out for them.
type hands struct {
	t      *testing.T
	home   string
	people []transcripttest.Person
}

// run runs a ceremony until it is done; each time people are missing, they sign.
func (h hands) run(args ...string) {
	h.t.Helper()
	for range 20 {
		cmd := exec.Command("unshare", "-u", "sh", "-c", "hostname console1; exec \"$0\" \"$@\"", binary)
		cmd.Args = append(cmd.Args, append(args, "--ui", "none", "--config", h.home+"/config.yaml")...)
		out, err := cmd.CombinedOutput()
		if err == nil {
			return
		}
		if cmd.ProcessState.ExitCode() != 75 {
			h.t.Fatalf("%v: %v\n%s", args, err, out)
		}
		h.sign()
	}
	h.t.Fatalf("%v: no end", args)
}

func (h hands) sign() {
	statements, _ := filepath.Glob(filepath.Join(h.home, "transcripts", "*.signing", "*.txt"))
	for _, path := range statements {
		who := strings.Split(strings.TrimSuffix(filepath.Base(path), ".txt"), ".")
		purpose := strings.TrimLeft(who[0], "0123456789-")
		if purpose == "final" && who[2] != "followed" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, p := range h.people {
			if p.Name == who[1] {
				sig := p.Sign(h.t, quorum.Production.Namespace(quorum.Purpose(purpose)), text)
				if err := os.WriteFile(path+".sig", sig, 0o600); err != nil {
					h.t.Fatal(err)
				}
			}
		}
	}
}
