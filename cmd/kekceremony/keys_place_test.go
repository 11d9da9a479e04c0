package main_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// keyPlace is where random keys begin: a command of people, as far as some of its pages were answered.
type keyPlace struct {
	name    string
	token   bool // the keys are in SoftHSM2; else in a file
	after   int  // how many of earlier were run
	face    string
	command []string
	pages   []page // that the command asks first
	lasting bool   // each sequence answers all of them: the page that comes then waits for no person, and stays
	alone   bool   // there is no process of the fleet
}

// page is what a ceremony asks, and what is typed: a word, or Enter for what is proposed.
type page struct{ asks, types string }

// The faces of a place.
const (
	wizardFace = "tui"
	lineFace   = "line"
	homeFace   = "home"
)

// earlier are the ceremonies of a scene, in order.
var earlier = [][]string{{"install"}, {"rotate", "--to-version", "2"}, {"disable", "--version", "1"}}

var (
	toTwo   = earlier[1]
	slowly  = append(slices.Clone(toTwo), "--rate", "1")
	disable = earlier[2]
	destroy = []string{"destroy", "--version", "1"}
)

// places are all of them. The first are those of a short test.
var places = []keyPlace{
	{name: "destroy a token's key", token: true, after: 3, face: wizardFace, command: destroy, pages: ofDestroy(true)},
	{name: "rotate", after: 1, face: wizardFace, command: toTwo, pages: ofRotate(false)},
	{name: "home", after: 2, face: homeFace},
	{name: "install by line", face: lineFace, command: earlier[0], pages: ofInstall(false)},
	{name: "disable", after: 2, face: wizardFace, command: disable, pages: ofDisable(false)},
	{name: "install a token", token: true, face: wizardFace, command: earlier[0], pages: ofInstall(true)},
	{name: "destroy", after: 3, face: wizardFace, command: destroy, pages: ofDestroy(false)},
	{name: "rotate a token", token: true, after: 1, face: wizardFace, command: toTwo, pages: ofRotate(true)},
	{name: "destroy by line", token: true, after: 3, face: lineFace, command: destroy, pages: ofDestroy(true)},
	{name: "install", face: wizardFace, command: earlier[0], pages: ofInstall(false)},
	{name: "re-wrap", after: 1, face: wizardFace, command: slowly, pages: ofRotate(false), lasting: true},
	{name: "rotate without a fleet", after: 1, face: wizardFace, command: toTwo, pages: beforeFleet(), lasting: true,
		alone: true},
}

// goes is how many pages of a place the nth of its sequences answers: first most of them, then none, and in time each
// number.
func (p keyPlace) goes(n int) int {
	switch {
	case p.lasting:
		return len(p.pages)
	case n == 0:
		return len(p.pages) * 2 / 3
	}
	const stride = 13 // shares no divisor with how many numbers there are
	return (n - 1) * stride % (len(p.pages) + 1)
}

// kind is the ceremony of a place.
func (p keyPlace) kind() string {
	if p.command == nil {
		return "home"
	}
	return p.command[0]
}

var (
	attending = []page{{"alice: type alice", "alice"}, {"bob: type bob", "bob"}, {"Press Enter to continue", ""}}
	placing   = []page{{"Where does this", ""}, {"Who authorized", ""}, {"Who is who", ""}, {"Time on the wall", ""},
		{"bags opened", ""}, {"Independent witness", ""}}
	closing = []page{{"bags closed", ""}, {"Time on the wall", ""}, {"Deviations from", ""},
		{"alice: type followed", "followed"}, {"bob: type followed", "followed"}}
)

// loggingIn are the pages of a PIN and of a probe.
func loggingIn(token bool) []page {
	if token {
		return []page{{"PIN of token", handsPIN}, {text.Read, ""}}
	}
	return []page{{text.Read, ""}}
}

func approving(word string) []page {
	return []page{{"alice: type " + word, word}, {"bob: type " + word, word}, {"Press Enter to continue", ""}}
}

func ofInstall(token bool) []page {
	return slices.Concat([]page{{"Path of the roster", here + "/roster"}}, attending, placing,
		[]page{{"Provider to lock", ""}}, loggingIn(token), approving("1"), []page{{text.Read, ""}, {text.Read, ""},
			{"Where else", ""}, {"Planned end", ""}, {text.Read, ""}}, closing)
}

func ofRotate(token bool) []page {
	return slices.Concat(attending, placing, loggingIn(token), approving("2"), []page{{text.Read, ""}, {text.Read, ""},
		{"Where else", ""}, {"Planned end", ""}, {text.Read, ""}}, approving("2"), []page{{text.Read, ""}})
}

// beforeFleet are the pages of a rotation until its fleet is verified.
func beforeFleet() []page {
	all := ofRotate(false)
	return all[:len(all)-2-len(approving("2"))]
}

func ofDisable(token bool) []page {
	return slices.Concat(attending, placing, []page{{text.Read, ""}}, loggingIn(token),
		[]page{{text.Read, ""}, {text.Read, ""}}, approving("disable"), closing)
}

func ofDestroy(token bool) []page {
	hosts := []page{{"Who removed", ""}}
	if token {
		hosts = nil
	}
	return slices.Concat(attending, placing, loggingIn(token), []page{{text.Read, ""}, {text.Read, ""},
		{"What became", "none"}}, approving("destroy"), []page{{text.Read, ""}}, hosts, closing)
}

// handsPIN is the PIN of the tokens: no other text here has it.
const handsPIN = "86429753"

// keyStages are scenes in which some of the earlier ceremonies were run, each made once, when it is needed.
type keyStages map[bool][]func() scene

func newKeyStages(t *testing.T) keyStages {
	all := keyStages{}
	for _, token := range []bool{false, true} {
		all[token] = []func() scene{sync.OnceValue(func() scene { return emptyStage(t, token) })}
		for n, command := range earlier {
			before := all[token][n]
			all[token] = append(all[token], sync.OnceValue(func() scene { return before().next(command) }))
		}
	}
	return all
}

// copied is a copy of a stage.
func (s keyStages) copied(t *testing.T, token bool, after int) scene {
	t.Helper()
	of := s[token][after]()
	of.t = t
	return of.moved()
}

// emptyStage is a scene before any ceremony. That of a token has the PIN in a file, which people.yaml does not name.
func emptyStage(t *testing.T, token bool) scene {
	t.Helper()
	s := newScene(t, t.TempDir(), binary, quorum.Rehearsal)
	s.emptyStore()
	config := s.config()
	s.write("people.yaml", config)
	if !token {
		return s
	}
	s.variables = []string{"SOFTHSM2_CONF=" + here + "/softhsm2.conf"}
	s.write("softhsm2.conf", "directories.tokendir = "+here+"/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
	s.write("pin", handsPIN+"\n")
	if err := os.Mkdir(s.Dir+"/tokens", 0o700); err != nil {
		t.Fatal(err)
	}
	s.program("softhsm2-util", "--init-token", "--free", "--label", rehearsal.TokenLabel, "--pin", handsPIN,
		"--so-pin", "97531864")
	env := "  provider: env\n  env:\n    secrets_file: " + here + "/secrets.env\n"
	pkcs11 := "  pkcs11:\n    module_path: " + pkcs11test.Module(t) + "\n    token_label: " + rehearsal.TokenLabel +
		"\n    environment: [SOFTHSM2_CONF]\n"
	for name, pin := range map[string]string{"config.yaml": "  pin_file: " + here + "/pin\n", "people.yaml": ""} {
		s.write(name, strings.Replace(config, env, "  provider: pkcs11\n"+pin+pkcs11, 1))
	}
	answers, err := os.ReadFile(s.Answers("install"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("answers-install.yaml", strings.Replace(string(answers), "provider: env", "provider: pkcs11", 1))
	return s
}

// next is a copy of a scene in which one more ceremony was run.
func (s scene) next(command []string) scene {
	s.t.Helper()
	s = s.moved()
	if command[0] != "install" {
		agent := s.agent()
		defer end(agent)
	}
	s.run(command...)
	if command[0] == "disable" && !await(func() bool { return s.destroyable() }) {
		s.t.Fatal("the waiting period does not end")
	}
	if command[0] == "install" && s.variables == nil {
		if err := s.application().Write(s.t.Context(), sceneRecords); err != nil {
			s.t.Fatal(err)
		}
	}
	return s
}

// destroyable reports whether a version may be destroyed by now.
func (s scene) destroyable() bool {
	s.t.Helper()
	_, said := s.exec("status", "--config", here+"/config.yaml")
	return strings.Contains(said, "may be destroyed since")
}

// program runs a program of others in the scene.
func (s scene) program(name string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), name, args...)
	cmd.Dir, cmd.Env = s.Dir, append([]string{"PATH=" + os.Getenv("PATH")}, s.variables...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}
