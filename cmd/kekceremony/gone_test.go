//go:build torture

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// outage is how long something is gone.
var outage = time.Minute

// TestTokenOut takes the token out in the middle of a re-wrap: the run ends and
// says so, another one says so too, and with the token back the command continues.
func TestTokenOut(t *testing.T) {
	t.Parallel()
	const n = 600
	fault := pkcs11test.NewFault(t)
	parts, a := swiftWith(t, t.TempDir(), fault.Module, n)
	end := started(t, parts)
	fault.Set("gone")
	if code, said := end(); code != 75 || !strings.Contains(said, "the token is not there") ||
		!strings.Contains(said, "hint: reconnect the token") {
		t.Errorf("exit %d\n%s", code, said)
	}
	if code, _, errs := run(t, rotateTo(parts, 2)...); code != 75 ||
		!strings.Contains(errs, "hint: reconnect the token") {
		t.Errorf("while it is out: exit %d\n%s", code, errs)
	}
	<-time.After(outage)
	fault.Set()
	must(t, rotateTo(parts, 2)...)
	whole(t, parts, a, n)
}

// TestStoreOut has the server gone for a while in the middle of a re-wrap, or the network swallow everything:
// the rotation waits and continues, or ends with code 75 and the same command continues.
func TestStoreOut(t *testing.T) {
	t.Parallel()
	pkcs11test.Module(t)
	for name, out := range map[string]struct{ begin, end func(*mongotest.Server) }{
		"down": {func(s *mongotest.Server) { s.Down() }, func(s *mongotest.Server) { s.Up(t) }},
		"hole": {func(s *mongotest.Server) { s.Hole(true) }, func(s *mongotest.Server) { s.Hole(false) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mongotest.Start(t)
			server.NeedProxy(t)
			parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
			args := []string{"rehearse", "--only", "install,rotate",
				"--ui", "none", "--dir", parts.Dir, "--provider", "pkcs11", "--records", "150",
				"--rate", "20", "--store", server.Absent(t)}
			cmd := program(t, args...)
			var errs strings.Builder
			cmd.Stderr = &errs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			awaitStep(t, parts, "re-wrap")
			out.begin(server)
			<-time.After(outage)
			out.end(server)
			if err := cmd.Wait(); err != nil {
				if code := cmd.ProcessState.ExitCode(); code != 75 {
					t.Errorf("exit %d\n%s", code, errs.String())
				}
				must(t, args...)
			}
			rotatedOnce(t, parts)
		})
	}
}

// rotatedOnce demands an install and a rotation that left nothing.
func rotatedOnce(t *testing.T, parts rehearsal.Parts) {
	t.Helper()
	bundles := bundlesOf(t, parts)
	must(t, append([]string{"transcript", "verify"}, bundles...)...)
	if found := event(t, bundles[1], "found", "census"); len(bundles) != 2 ||
		!strings.HasPrefix(found["census_2"], "0 at ") {
		t.Errorf("bundles %v, census %v", bundles, found)
	}
}

// TestElections has every twentieth command of an install and a rotation answered as by a primary that steps
// down, before it or after it carried the command out. Nothing fails, and nothing is done twice.
func TestElections(t *testing.T) {
	t.Parallel()
	pkcs11test.Module(t)
	server := mongotest.Start(t)
	server.NeedProxy(t)
	parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
	server.Elect(mongotest.Every(20))
	args := []string{"rehearse", "--only", "install,rotate", "--ui", "none", "--dir", parts.Dir,
		"--provider", "pkcs11", "--records", "150", "--store", server.Absent(t)}
	must(t, args...)
	server.Elect(nil)
	rotatedOnce(t, parts)
}

// awaitStep waits until an act of the second ceremony was begun.
func awaitStep(t *testing.T, parts rehearsal.Parts, step string) {
	t.Helper()
	begun := func() bool {
		logs, _ := filepath.Glob(filepath.Join(parts.Bundles(), "*-0002-*", "events.jsonl"))
		for _, path := range logs {
			data, err := os.ReadFile(path)
			for line := range strings.Lines(string(data)) {
				if err == nil && strings.Contains(line, `"kind":"begun"`) && strings.Contains(line, `"step":"`+step+`"`) {
					return true
				}
			}
		}
		return false
	}
	if !await(begun) {
		t.Fatalf("step %s never began", step)
	}
}
