package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// scene is a directory with all that ceremonies of the env provider need: store, bundles, keys, people. Its commands
// run in that directory, name it by the constant here, and see one host name. So a plan that was signed in a scene
// stays the same wherever the scene is unpacked.
type scene struct {
	rehearsal.Parts
	t      *testing.T
	binary string
	mode   quorum.Mode
	people []transcripttest.Person
	// variables are those of its commands beside PATH.
	variables []string
}

const here = "/proc/self/cwd"

// sceneRecords is how many records an application writes into a scene.
const sceneRecords = 12

// newScene writes configuration, rosters and answers into a directory; store, keys and bundles are not its own. In a
// rehearsal the people's keys sign by themselves. In production the people sign the statements that a run leaves.
func newScene(t *testing.T, dir, binary string, mode quorum.Mode) scene {
	t.Helper()
	s := scene{Parts: rehearsal.Parts{Dir: dir}, t: t, binary: binary, mode: mode}
	s.people = []transcripttest.Person{transcripttest.Operator(t, "alice"), transcripttest.Operator(t, "bob")}
	if mode == quorum.Production {
		s.people = append(s.people, transcripttest.Touching(t, "dora"), transcripttest.Witness(t, "wendy"))
	}
	s.people = append(s.people, transcripttest.Operator(t, "erin"))
	last := len(s.people) - 1 // erin joins with the next roster, and alice leaves
	s.write("roster", transcripttest.RosterOf(2, mode, s.people[:last]...))
	s.write("next", transcripttest.RosterOf(2, mode, s.people[1:]...))
	s.write("config.yaml", s.config())
	key := "copies: none\nplanned_end: \"n/a: a test\"\n"
	s.write("answers-install.yaml", "ceremony: install\nroster: "+here+"/roster\nprovider: env\n"+key+record)
	s.write("answers-rotate.yaml", "ceremony: rotate\n"+key+record)
	s.write("answers-destroy.yaml", "ceremony: destroy\nverdicts: none\nhosts: \"n/a: a test\"\n"+record)
	for _, kind := range []string{transcript.KindDisable, transcript.KindEnable, transcript.KindCompromise} {
		s.write("answers-"+kind+".yaml", "ceremony: "+kind+"\n"+record)
	}
	s.write("answers-roster.yaml", "ceremony: roster\nnext_roster: "+here+"/next\n"+record)
	return s
}

func (s scene) config() string {
	text := "store: " + s.uri() + "\ntranscripts: " + here + "/transcripts\n" +
		"encryption:\n  provider: env\n  env:\n    secrets_file: " + here + "/secrets.env\n" +
		"fleet: {beat: 100ms, live: 400ms, expect: {" + rehearsal.Role + ": 1}}\n"
	if s.mode == quorum.Production {
		return text
	}
	text += "policy: {destroy_wait: 1s}\nrehearsal: {pin: none}\nkeys:\n"
	for _, p := range s.people {
		s.write(p.Name+".key", transcripttest.PrivateKey(s.t, p.Name).String())
		text += "  - " + here + "/" + p.Name + ".key\n"
	}
	return text
}

func (s scene) uri() string { return "sqlite:" + here + "/store.db" }

func (s scene) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// unattended returns the arguments of an unattended ceremony.
func (s scene) unattended(command ...string) []string {
	args := append(command, "--ui", "none", "--config", here+"/config.yaml")
	if command[0] != "abort" {
		args = append(args, "--answers", here+"/answers-"+command[0]+".yaml")
	}
	return args
}

// command runs a program in the scene, on a host of that name, with PATH and what the scene has as its only variables.
func (s scene) command(ctx context.Context, host string, args ...string) *exec.Cmd {
	flags := []string{"--uts"}
	if os.Geteuid() != 0 {
		flags = append(flags, "--user", "--map-root-user")
	}
	cmd := exec.CommandContext(ctx, "unshare", append(flags, "sh", "-c", `hostname "$0" && exec "$@"`, host)...)
	cmd.Args = append(cmd.Args, args...)
	cmd.Dir, cmd.Env = s.Dir, append([]string{"PATH=" + os.Getenv("PATH")}, s.variables...)
	return cmd
}

// needHostName ends a test where a process cannot have a host name of its own.
func needHostName(t *testing.T) {
	t.Helper()
	s := scene{Parts: rehearsal.Parts{Dir: t.TempDir()}}
	if out, err := s.command(t.Context(), "console1", "true").CombinedOutput(); err != nil {
		pkcs11test.Missing(t, fmt.Sprintf("unshare (%v: %s)", err, bytes.TrimSpace(out)))
	}
}

// exec runs the program and returns its exit code and its output.
func (s scene) exec(args ...string) (code int, said string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := s.command(ctx, "console1", append([]string{s.binary}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// emptyStore makes store and bundles of a scene.
func (s scene) emptyStore() {
	s.t.Helper()
	db, err := sqlite.Create(s.t.Context(), s.Store())
	if err != nil {
		s.t.Fatal(err)
	}
	if err := errors.Join(db.Close(), os.Mkdir(s.Bundles(), 0o700)); err != nil {
		s.t.Fatal(err)
	}
}

// run runs a ceremony until it is done. In production people sign whenever their signatures are missing.
func (s scene) run(command ...string) {
	s.t.Helper()
	for range 10 {
		code, said := s.exec(s.unattended(command...)...)
		switch {
		case code == 0:
			return
		case code != 75 || s.mode != quorum.Production:
			s.t.Fatalf("%s: exit %d\n%s", strings.Join(command, " "), code, said)
		}
		hands{s.t, s.Dir, s.people}.sign()
	}
	s.t.Fatalf("%s: no end", strings.Join(command, " "))
}

// agent starts the only process of the fleet and waits for its first heartbeat. It ends with the test, if not before.
func (s scene) agent() *exec.Cmd {
	s.t.Helper()
	args := []string{s.binary, "agent", "--role", rehearsal.Role, "--config", here + "/config.yaml"}
	cmd := s.command(context.Background(), "app1", args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		end(cmd)
		if s.t.Failed() {
			s.t.Logf("agent:\n%s", said.String())
		}
	})
	s.awaitHeartbeat(cmd.Process.Pid)
	return cmd
}

// awaitHeartbeat waits until a process has a heartbeat in the store.
func (s scene) awaitHeartbeat(pid int) {
	s.t.Helper()
	db := openStore(s.t, s.Parts)
	tick, guard := time.NewTicker(20*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		heartbeats, err := db.Heartbeats(s.t.Context(), time.Time{})
		if err != nil {
			s.t.Fatal(err)
		}
		if slices.ContainsFunc(heartbeats, func(b store.Heartbeat) bool { return b.PID == pid && !b.Stopped }) {
			return
		}
		select {
		case <-tick.C:
		case <-guard:
			s.t.Fatalf("process %d has no heartbeat", pid)
		}
	}
}

// end stops an agent in order.
func end(agent *exec.Cmd) {
	_ = agent.Process.Signal(os.Interrupt)
	_ = agent.Wait()
}

// application owns the records and reads them with its own access to store and keys.
func (s scene) application() rehearsal.Application {
	s.t.Helper()
	db, ctx := openStore(s.t, s.Parts), s.t.Context()
	lock, err := db.Lock(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	active, err := db.Active(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := env.Open(env.Config{SecretsFile: filepath.Join(s.Dir, "secrets.env")}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { p.Close() })
	return rehearsal.Application{Records: db, Provider: p, Chain: lock.Chain, Active: active.Version}
}

// readable demands that every record decrypts, and that it is at a version unless that is 0.
func (s scene) readable(at kek.Version) {
	s.t.Helper()
	a := s.application()
	for i := range sceneRecords {
		if v, err := a.Read(s.t.Context(), i); err != nil || at != 0 && v != at {
			s.t.Errorf("record %d: version %d, %v", i, v, err)
		}
	}
}

// wizardOf runs a command of the wizard between two looks at the terminal's state.
func wizardOf(t *testing.T, parts rehearsal.Parts, args ...string) *pane {
	t.Helper()
	return newPane(t, fmt.Sprintf("stty -g; %s %s; echo EXIT $?; stty -g; echo LOOKED; cat",
		binary, shell(append(args, "--config", parts.Config()))))
}

// moved is a copy of a scene, in a directory of its own.
func (s scene) moved() scene {
	s.t.Helper()
	dir := s.t.TempDir()
	pkcs11test.Run(s.t, "cp", "-a", s.Dir+"/.", dir)
	s.Dir = dir
	return s
}
