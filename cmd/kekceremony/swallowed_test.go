//go:build torture

package main_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// onlyConsoles has a kind of command that a console alone sends, but for those that a process of the fleet sends
// when it begins. A heartbeat that is swallowed is a silent process: TestSwallowedOnce has it.
func onlyConsoles(kind string) bool {
	command, collection, _ := strings.Cut(kind, " ")
	return collection != "process_heartbeats" && slices.Contains([]string{"find", "getMore", "insert", "update", "count",
		"aggregate", "listCollections", "collMod", "createIndexes", "findAndModify", "create"}, command)
}

// TestSwallowed has the network swallow one command of each kind, once each, through a whole life of a key.
// Every ceremony ends by itself, or the same command continues it, and nothing is lost.
func TestSwallowed(t *testing.T) {
	t.Parallel()
	pkcs11test.Module(t)
	const records = 60
	life := func(t *testing.T) (*mongotest.Server, string, []string, rehearsal.Parts) {
		server := mongotest.Start(t)
		server.NeedProxy(t)
		uri := server.Absent(t)
		parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
		return server, uri, []string{"rehearse", "--ui", "none", "--dir", parts.Dir, "--provider", "pkcs11",
			"--records", fmt.Sprint(records), "--store", uri}, parts
	}
	server, _, args, _ := life(t)
	must(t, args...)
	seen := server.Kinds()
	maps.DeleteFunc(seen, func(kind string, _ int) bool { return !onlyConsoles(kind) })
	const runs = 4
	for i := range runs {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			server, uri, args, parts := life(t)
			var ordered []string
			for j, kind := range slices.Sorted(maps.Keys(seen)) {
				if j%runs == i {
					server.Swallow(kind, 1+j%max(1, seen[kind]/2), j/runs%2 == 0)
					ordered = append(ordered, kind)
				}
			}
			t.Log(strings.Join(ordered, ", "))
			continued(t, args...)
			for _, kind := range ordered {
				if server.Ordered(kind) > 0 {
					t.Errorf("nothing swallowed of %s", kind)
				}
			}
			must(t, append([]string{"transcript", "verify"}, bundlesOf(t, parts)...)...)
			allAt(t, uri, 2, records)
		})
	}
}

// continued runs a command until it is done. Each time before, it says that it can be continued.
func continued(t *testing.T, args ...string) {
	t.Helper()
	for range 20 {
		code, _, errs := run(t, args...)
		switch {
		case code == 0:
			return
		case code != 75 || !strings.Contains(errs, "hint: "):
			t.Fatalf("exit %d\n%s", code, errs)
		}
		t.Logf("exit %d\n%s", code, errs)
	}
	t.Fatal("it is never done")
}

// allAt demands so many envelopes in a database, all at a version.
func allAt(t *testing.T, uri string, version, n int) {
	t.Helper()
	s, err := mongo.Open(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	counts, err := s.Census(t.Context(), envelope.DefaultCatalogue())
	for _, c := range counts {
		n -= c.N
		if int(c.Version) != version {
			t.Errorf("%d at version %d in %s", c.N, c.Version, c.Place)
		}
	}
	if err != nil || n != 0 {
		t.Errorf("%d are missing, %v", n, err)
	}
}
