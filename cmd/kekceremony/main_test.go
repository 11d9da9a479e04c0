package main_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/keeper"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// binary is the real program, built once for all tests, or a changed one that a test of the tests built.
var (
	binary string
	built  = flag.String("program", "", "the program to test; empty: it is built")
)

// beforehand is called before the tests; make torture has it change what they try.
var beforehand = func() {}

// TestMain is the keeper too: it is this very program.
func TestMain(m *testing.M) {
	keeper.Register(pkcs11.Config{})
	if len(os.Args) > 1 && os.Args[1] == keeper.Command {
		if err := keeper.Serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	for command, main := range map[string]func([]string) error{recordsCommand: recordsMain, ringCommand: ringMain} {
		if len(os.Args) == 1 || os.Args[1] != command {
			continue
		}
		if err := main(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Unsetenv("SSH_AUTH_SOCK") // the keys of anyone who runs the tests are nobody's here
	flag.Parse()
	beforehand()
	dir, err := os.MkdirTemp("", "kekceremony-test-")
	if err != nil {
		panic(err)
	}
	if binary = *built; binary == "" {
		binary = filepath.Join(dir, "kekceremony")
		if err := buildProgram(binary); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// buildProgram builds the program of this directory. Without what debuggers need it takes half the time.
func buildProgram(path string, flags ...string) error {
	args := slices.Concat([]string{"build", "-ldflags=-w"}, flags, []string{"-o", path, "."})
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// program is the program, with the environment of a test.
func program(t testing.TB, args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Env = pkcs11test.Environ(t)
	return cmd
}

// run runs the program and returns its exit code and what it said.
func run(t testing.TB, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := program(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if err := checkStatus(args, out.String()); err != nil {
		t.Error(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// must runs the program and demands exit code 0.
func must(t testing.TB, args ...string) string {
	t.Helper()
	code, out, errs := run(t, args...)
	if code != 0 {
		t.Fatalf("kekceremony %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

func TestScripts(t *testing.T) {
	pkcs11test.Need(t, "gcc")
	t.Parallel()
	server := mongotest.Start(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
			e.Setenv("MODULE", pkcs11test.Module(t))
			e.Setenv("PROXY", filepath.Join(e.WorkDir, "fault", "proxy.so"))
			if strings.HasSuffix(e.WorkDir, "script-mongo_refused") { // it has the server refuse, which all share
				e.Setenv("MONGO", server.Fresh(t))
			}
			if strings.HasSuffix(e.WorkDir, "script-third_provider") {
				if err := withThirdProvider(e); err != nil {
					return err
				}
			}
			e.Setenv("RECORD", record)
			specimens, err := filepath.Abs("../../transcripts")
			if err != nil {
				return err
			}
			e.Setenv("SPECIMENS", specimens)
			site, err := filepath.Abs("testdata/site")
			if err != nil {
				return err
			}
			e.Setenv("SITE", site) // what the scripts of a key's end share
			self, err := os.Executable()
			if err != nil {
				return err
			}
			e.Setenv("RECORDS", self+" "+recordsCommand)
			e.Setenv("ROSTER_LINE", `namespaces="attend-v1@kekceremony,approve-v1@kekceremony,final-v1@kekceremony"`)
			e.Setenv("JOIN_LINE",
				`namespaces="attend-v1@kekceremony,approve-v1@kekceremony,final-v1@kekceremony,roster-v1@kekceremony"`)
			return faultModule(e.Getenv("PROXY"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"subst":     subst,
			"code":      code,
			"tokens":    tokens,
			"fault":     fault,
			"generated": generated,
			"reserve":   reserve,
			"schema":    schema,
			"mongo":     func(ts *testscript.TestScript, _ bool, args []string) { mongoDoes(t, ts, server, args[0]) },
		},
	})
}

// withThirdProvider puts a build of its own in the script's way. Like a new provider's, it
// differs by one registration.
func withThirdProvider(e *testscript.Env) error {
	dir := filepath.Join(e.WorkDir, "third")
	if err := buildProgram(filepath.Join(dir, "kekceremony"), "-tags=third"); err != nil {
		return err
	}
	e.Setenv("PLAIN", binary)
	e.Setenv("PATH", dir+string(os.PathListSeparator)+e.Getenv("PATH"))
	return nil
}

// record answers the questions about what only people see.
const record = `place: "n/a: a test"
authorised: "n/a: a test"
people: "n/a: a test"
clock: "n/a: a test"
bags: "n/a: a test"
evidence: "n/a: a test"
bags_out: "n/a: a test"
clock_out: "n/a: a test"
differed: none
`

// subst FILE...: replaces $WORK, $MODULE, $ROSTER_LINE and the operators' keys in files.
func subst(ts *testscript.TestScript, _ bool, files []string) {
	for _, f := range files {
		text := os.Expand(ts.ReadFile(f), func(name string) string {
			if key, ok := strings.CutPrefix(name, "KEY_"); ok {
				return strings.TrimSpace(ts.ReadFile(key + ".pub"))
			}
			return ts.Getenv(name)
		})
		ts.Check(os.WriteFile(ts.MkAbs(f), []byte(text), 0o600))
	}
}

// code N COMMAND...: the program must end with exit code N.
func code(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// tokens LABEL...: makes a SoftHSM2 directory with a token of each label, PIN 1234.
func tokens(ts *testscript.TestScript, _ bool, labels []string) {
	conf := ts.MkAbs("softhsm2.conf")
	ts.Check(os.MkdirAll(ts.MkAbs("tokens"), 0o700))
	ts.Check(os.WriteFile(conf, []byte("directories.tokendir = "+ts.MkAbs("tokens")+"\nlog.level = ERROR\n"), 0o600))
	ts.Setenv("SOFTHSM2_CONF", conf)
	for _, label := range labels {
		ts.Check(ts.Exec("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", "1234",
			"--so-pin", "12345678"))
	}
}

// mongo readonly|writable|envelope: what the server or an application does.
func mongoDoes(t *testing.T, ts *testscript.TestScript, server *mongotest.Server, what string) {
	switch what {
	case "readonly", "writable":
		if server.Proxy == nil {
			ts.Fatalf("a server of somebody else's cannot be told to be %s", what)
		}
		server.ReadOnly(what == "readonly")
	case "envelope":
		server.ReplaceEnvelope(t, ts.Getenv("MONGO"), "things", "f")
	}
}

// faultModule makes a script's own fault module, which does no harm yet.
func faultModule(path string) error {
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := pkcs11test.Build(path); err != nil {
		return err
	}
	return pkcs11test.Configure(path)
}

// reserve VERSION N: somebody counts so many wraps under a version in the store s.db.
func reserve(ts *testscript.TestScript, _ bool, args []string) {
	v, err := kek.ParseVersion(args[0])
	ts.Check(err)
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	db, err := sqlite.Open(context.Background(), ts.MkAbs("s.db"))
	ts.Check(err)
	_, err = db.ReserveWraps(context.Background(), v, n)
	ts.Check(errors.Join(err, db.Close()))
}

// fault MODE...: the fault module, $PROXY, misbehaves in these modes and no others.
func fault(ts *testscript.TestScript, _ bool, modes []string) {
	ts.Check(pkcs11test.Configure(ts.Getenv("PROXY"), modes...))
}

// generated N: the fault module must have seen so many keys made on a token.
func generated(ts *testscript.TestScript, _ bool, args []string) {
	n, err := pkcs11test.Count(ts.Getenv("PROXY"), "token")
	ts.Check(err)
	if got := strconv.Itoa(n); got != args[0] {
		ts.Fatalf("%s keys were made on a token, want %s", got, args[0])
	}
}

// rehearse runs install and rotate unattended and returns the rehearsal's parts and bundles.
func rehearse(t testing.TB, args ...string) (rehearsal.Parts, []string) {
	t.Helper()
	return rehearseLife(t, append(args, "--only", "install,rotate")...)
}

// rehearseLife runs a whole unattended rehearsal and returns its parts and bundles.
func rehearseLife(t testing.TB, args ...string) (rehearsal.Parts, []string) {
	t.Helper()
	pkcs11test.Module(t)
	dir := filepath.Join(t.TempDir(), "r")
	out := must(t, append([]string{"rehearse", "--ui", "none", "--dir", dir}, args...)...)
	return rehearsal.Parts{Dir: dir}, toCheck(t, out)
}

// toCheck are the bundles in the last lines of a rehearsal: the commands that check them.
func toCheck(t testing.TB, out string) (bundles []string) {
	t.Helper()
	_, last, found := strings.Cut(out, "\nNext, check the transcripts:\n")
	if !found {
		t.Fatalf("a rehearsal printed:\n%s", out)
	}
	for line := range strings.Lines(last) {
		dir, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), binary+" transcript verify ")
		if !found {
			t.Fatalf("a rehearsal printed last:\n%s", last)
		}
		bundles = append(bundles, dir)
	}
	return bundles
}

// bundlesOf lists a rehearsal's bundles in the order of their ceremonies.
func bundlesOf(t testing.TB, parts rehearsal.Parts) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(parts.Bundles(), "[0-9]*"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(dir string) bool { return filepath.Ext(dir) == ".signing" })
}
