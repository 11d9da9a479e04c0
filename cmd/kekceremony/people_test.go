package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// people are the parts of a production run: op1's key is in an ssh-agent, op2's
// in a file with a passphrase, op3's is not on this console.
type people struct {
	t   *testing.T
	dir string
}

const passphrase = "correct horse"

func newPeople(t *testing.T) people {
	t.Helper()
	pkcs11test.TokensForPrograms(t, "kek")
	p := people{t, t.TempDir()}
	roster := "# quorum: 3\n"
	for _, name := range []string{"op1", "op2", "op3"} {
		phrase := map[string]string{"op2": passphrase}[name]
		pkcs11test.Run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", phrase, "-C", name, "-f", p.path(name))
		public, err := os.ReadFile(p.path(name + ".pub"))
		if err != nil {
			t.Fatal(err)
		}
		roster += fmt.Sprintf("%s namespaces=\"attend-v1@kekceremony,approve-v1@kekceremony,final-v1@kekceremony\" %s",
			name, public)
	}
	for _, d := range []string{"tr", "stick"} {
		if err := os.Mkdir(p.path(d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.write("roster", roster)
	p.write("answers.yaml", "ceremony: rotate\ncopies: none\nplanned_end: 2099-01-01\n"+record)
	p.write("pin", pkcs11test.PIN+"\n")
	config := fmt.Sprintf(`store: %s
transcripts: %s
exchange: %s
encryption:
  provider: pkcs11
PIN  pkcs11:
    module_path: %s
    token_label: kek
    environment: [SOFTHSM2_CONF]
fleet: {beat: 1s, live: 4s, expect: {app: 1}}
keys: [%s]
`,
		mongotest.Start(t).Fresh(t), p.path("tr"), p.path("stick"), pkcs11test.Module(t), p.path("op2"))
	p.write("config.yaml", strings.Replace(config, "PIN", "", 1))
	p.write("unattended.yaml", strings.Replace(config, "PIN", "  pin_file: "+p.path("pin")+"\n", 1))
	p.sshAgent()
	return p
}

func (p people) path(name string) string { return filepath.Join(p.dir, name) }

func (p people) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// sshAgent starts a stock agent and moves op1's key into it.
func (p people) sshAgent() {
	p.t.Helper()
	socket := p.path("agent.sock")
	agent := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := agent.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = agent.Process.Kill(); _ = agent.Wait() })
	pkcs11test.Setenv(p.t, "SSH_AUTH_SOCK", socket)
	awaitSocket(p.t, socket)
	pkcs11test.Run(p.t, "ssh-add", "-q", p.path("op1"))
	if err := os.Remove(p.path("op1")); err != nil {
		p.t.Fatal(err)
	}
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	if !await(func() bool { found, _ := filepath.Glob(path); return len(found) > 0 }) {
		t.Fatalf("%s never came", path)
	}
}

// awaitSocket waits until somebody listens: the socket is there a little earlier.
func awaitSocket(t *testing.T, path string) {
	t.Helper()
	listens := func() bool {
		c, err := net.Dial("unix", path)
		return err == nil && c.Close() == nil
	}
	if !await(listens) {
		t.Fatalf("nobody ever listened at %s", path)
	}
}

// signElsewhere signs the newest statement for op3 on the stick with its own key.
func (p people) signElsewhere(purpose, pattern string) {
	p.t.Helper()
	statements := p.path("stick/*.signing/" + pattern)
	awaitFile(p.t, statements)
	all, _ := filepath.Glob(statements)
	last := all[len(all)-1]
	_ = os.Remove(last + ".sig")
	script := strings.TrimSuffix(last, ".txt") + ".sh"
	if text, err := os.ReadFile(script); err != nil || !strings.Contains(string(text), "-n "+purpose+"-v1@kekceremony") {
		p.t.Errorf("the file that signs it is %q, %v", text, err)
	}
	pkcs11test.Run(p.t, "sh", script, p.path("op3"))
}

// all has the three sign on one page of the wizard.
func (p people) all(w *pane, purpose, word1, word2, pattern string) {
	p.t.Helper()
	w.enter("op1: type "+word1, word1)
	p.second(w, map[bool]string{true: "followed", false: word2}[purpose == "final"], word2)
	w.until("op3: ")
	if purpose != "final" {
		w.tmux("send-keys", "C-e")
	} else { // the verdict and the words are in what is signed
		w.tmux("send-keys", "-l", "deviations")
		w.tmux("send-keys", "C-e")
		w.enter("op3: what deviated from the steps?", "the video failed")
	}
	w.until("op3: sh ")
	p.signElsewhere(purpose, pattern)
	w.enter("Signed 3, needed 3", "")
}

// second has op2 type a word on a page that shows what may be typed.
func (p people) second(w *pane, shows, word string) {
	p.t.Helper()
	w.enter("op2: type "+shows, word)
	if word == "deviations" {
		w.enter("op2: what deviated from the steps?", "the witness left early")
	}
	w.until("op2: ssh-keygen asks for")
	w.enter("Enter passphrase", passphrase)
}

// fill answers what only people see. What has not the form that is asked for is
// refused, and asked again.
func (p people) fill(w *pane, page string) {
	p.t.Helper()
	if page == "leaving" {
		w.enter("bags closed", "100201, the token")
		w.enter("Time on the wall clock now", "n/a: no clock on the wall")
		w.enter("Deviations from the steps", "nothing")
		w.correct("refused: want", "none")
		return
	}
	if page == "place again" {
		w.until("> Vault 3")
		w.enter("Where does this", "")
	} else {
		w.enter("Where does this", "Vault 3")
	}
	w.enter("Who authorized", "the security officer, ticket 4711")
	w.enter("Who is who", "op9: Example Ltd, operator")
	w.correct("refused: use names of the roster: op1, op2, op3;",
		"op1: Example Ltd, operator; op2: Example Ltd, operator; op3: Other Ltd, operator")
	w.enter("Time on the wall clock", "2001-01-01 00:00, op1")
	w.correct("refused: the wall clock is ", time.Now().UTC().Add(5*time.Minute).Format("2006-01-02 15:04")+", op1")
	w.correct("min ahead of the console's clock", time.Now().UTC().Add(5*time.Minute).Format("2006-01-02 15:04")+
		", op1, differs: nobody may set it")
	w.enter("bags opened", "100200, op2")
	w.enter("Independent witness", "video 17")
}

// correct waits for a refusal, clears the field, which makes it one of before, and types a line.
func (p *pane) correct(refusal, line string) {
	p.t.Helper()
	p.until(refusal)
	p.tmux("send-keys", "C-u")
	p.enter(strings.TrimPrefix(refusal, "refused: "), line)
}

// TestPeople runs a real install and a real rotation on MongoDB: op1 signs with
// ssh-agent, op2 with a passphrase on the terminal, op3 elsewhere; unattended to
// exit code 75, and on.
func TestPeople(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	line := func(args string) string {
		return fmt.Sprintf("%s %s --config %s; echo EXIT $?; cat", binary, args, p.path("config.yaml"))
	}
	w := newPane(t, line("install"))
	w.enter("Path of the roster", p.path("roster"))
	p.all(w, "attend", "op1", "op2", "*-attend.op3.txt")
	p.fill(w, "place")
	w.enter("Provider to lock", "")
	w.enter("PIN of token", pkcs11test.PIN)
	w.read()
	p.all(w, "approve", "1", "1", "*-approve.op3.txt")
	w.read()
	w.read("Canary")
	w.enter("Where else", "none")
	w.enter("Planned end", "2099-12-31")
	w.read("store locked to")
	p.fill(w, "leaving")
	p.all(w, "final", "followed", "deviations", "final.op3.deviations.txt")
	end := w.enter("enter close", "")
	if !strings.Contains(strings.Join(strings.Fields(end), " "), "op1 (followed), op2 (deviations), op3 (deviations)") {
		t.Errorf("the last page:\n%s", end)
	}
	w.until("EXIT 0")

	agent := program(t, "agent", "--role", "app", "--config", p.path("unattended.yaml"))
	agent.Stderr = t.Output()
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = agent.Process.Signal(os.Interrupt); _ = agent.Wait() }()

	// Attendance begins with nobody in the room, and the wizard takes it up.
	unattended := []string{"rotate", "--to-version", "2", "--ui", "none", "--config", p.path("unattended.yaml"),
		"--answers", p.path("answers.yaml")}
	code, _, errs := run(t, unattended...)
	if code != 75 ||
		!strings.Contains(errs, "missing: op3: ssh-keygen -Y sign -n attend-v1@kekceremony -f KEY "+p.path("stick")) {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	p.signElsewhere("attend", "*-attend.op3.txt")
	w = newPane(t, line("rotate --to-version 2"))
	w.enter("op1: type op1", "op1")
	p.second(w, "op2", "op2")
	w.enter("Signed 3, needed 3", "")
	p.fill(w, "place again")
	w.enter("PIN of token", pkcs11test.PIN)
	w.read()
	p.all(w, "approve", "2", "2", "*-approve.op3.txt")
	w.read()
	w.read("Canary")
	w.enter("Where else", "none")
	w.enter("Planned end", "2099-12-31")
	w.read()
	p.all(w, "approve", "2", "2", "*-approve.op3.txt")
	w.read("active version")
	p.fill(w, "leaving")
	w.enter("op1: type followed", "followed")
	p.second(w, "followed", "followed")
	w.until("op3: ")
	w.tmux("send-keys", "C-n")
	w.until("and sign later?")
	w.tmux("send-keys", "y")
	said := w.until("EXIT 75")
	if !strings.Contains(said, "finals: 2 of 3 have signed") {
		t.Errorf("said:\n%s", said)
	}
	p.signElsewhere("final", "final.op3.followed.txt")
	if code, _, errs := run(t, unattended...); code != 0 {
		t.Errorf("with nobody in the room again: exit %d\n%s", code, errs)
	}
	bundles, _ := filepath.Glob(p.path("tr/*Z-*"))
	said = must(t, append([]string{"transcript", "verify"}, bundles...)...)
	if !strings.Contains(said, "words   op2: the witness left early\n  words   op3: the video failed\n") {
		t.Errorf("what deviated:\n%s", said)
	}
	if left, _ := filepath.Glob(p.path("stick/*")); len(left) > 0 || len(bundles) != 2 {
		t.Errorf("left on the stick: %v; bundles %v", left, bundles)
	}
}
