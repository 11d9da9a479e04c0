package pkcs11test

import (
	"os"
	"strings"
	"sync"
	"testing"
)

// given are the variables of the tests that run, by their names.
var given = struct {
	sync.Mutex
	of map[string][]string
}{of: map[string][]string{}}

// Setenv gives a variable to the programs that a test and its subtests start with
// Environ. Unlike t.Setenv it leaves this process alone, so tests can run side by side.
func Setenv(t testing.TB, name, value string) {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	if given.of[t.Name()] == nil {
		t.Cleanup(func() {
			given.Lock()
			defer given.Unlock()
			delete(given.of, t.Name())
		})
	}
	given.of[t.Name()] = append(given.of[t.Name()], name+"="+value)
}

// Environ is the environment of the programs that a test starts: that of this process
// and what Setenv gave to the test and to those around it. The last of a name counts.
func Environ(t testing.TB) []string {
	given.Lock()
	defer given.Unlock()
	return append(os.Environ(), variables(t)...)
}

func variables(t testing.TB) (all []string) {
	name := ""
	for part := range strings.SplitSeq(t.Name(), "/") {
		name = strings.TrimPrefix(name+"/"+part, "/")
		all = append(all, given.of[name]...)
	}
	return all
}

// Lend gives this process the variables of a test while use runs, for what reads them
// of the process itself. Nobody else's Environ or Lend comes in between.
func Lend(t testing.TB, use func()) {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	for _, v := range variables(t) {
		name, value, _ := strings.Cut(v, "=")
		defer putBack(name)()
		if err := os.Setenv(name, value); err != nil {
			t.Fatal(err)
		}
	}
	use()
}

// putBack returns what gives a variable the value that it has now.
func putBack(name string) func() {
	value, found := os.LookupEnv(name)
	if !found {
		return func() { os.Unsetenv(name) }
	}
	return func() { os.Setenv(name, value) }
}
