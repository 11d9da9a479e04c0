package main_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// versions are what a torture knows of each version: the first four are rotated among, and what is destroyed is
// replaced by a new one.
type versions struct {
	*testing.T
	parts                    rehearsal.Parts
	chain                    kek.Chain
	made, active             kek.Version
	old, disabled, destroyed []kek.Version
	kills, runs, of          map[string]int // by kind of ceremony; of: how many there were
}

func newVersions(t *testing.T, parts rehearsal.Parts, chain kek.Chain) *versions {
	t.Helper()
	text, err := os.ReadFile(parts.Answers("disable"))
	if err == nil {
		enable := strings.Replace(string(text), "ceremony: disable", "ceremony: enable", 1)
		err = os.WriteFile(parts.Answers("enable"), []byte(enable), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &versions{T: t, parts: parts, chain: chain, made: 1, active: 1, kills: map[string]int{}, runs: map[string]int{},
		of: map[string]int{}}
}

// next is the version that the i-th rotation goes to.
func (v *versions) next(i int) (to kek.Version) {
	if known := int(v.made) - len(v.destroyed); known < 4 || len(v.old) == 0 {
		v.made++
		to = v.made
	} else {
		at := i % len(v.old)
		to = v.old[at]
		v.old = slices.Delete(v.old, at, at+1)
	}
	v.old, v.active = append(v.old, v.active), to
	return to
}

// end ends what an earlier call disabled, mostly for good, and disables another version.
func (v *versions) end() {
	v.Helper()
	if len(v.disabled) > 0 {
		was := v.disabled[0]
		v.disabled = v.disabled[1:]
		if rand.IntN(3) == 0 {
			v.ends("enable", was)
			v.old = append(v.old, was)
		} else {
			v.ends("destroy", was)
			v.destroyed = append(v.destroyed, was)
		}
	}
	if len(v.old) > 0 {
		at := rand.IntN(len(v.old))
		v.ends("disable", v.old[at])
		v.disabled = append(v.disabled, v.old[at])
		v.old = slices.Delete(v.old, at, at+1)
	}
}

func (v *versions) ends(command string, n kek.Version) {
	v.Helper()
	v.throughKills(command, unattended(v.parts, command, "--version", n.String()))
}

// throughKills runs one ceremony.
func (v *versions) throughKills(kind string, args []string) {
	v.Helper()
	kills, runs := throughKills(v.T, args)
	v.kills[kind], v.runs[kind], v.of[kind] = v.kills[kind]+kills, v.runs[kind]+runs, v.of[kind]+1
}

// told says how often each kind of ceremony was run and killed.
func (v *versions) told() string {
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(v.of)) {
		all = append(all, fmt.Sprintf("%d times %s (%d kills, %d runs)", v.of[kind], kind, v.kills[kind], v.runs[kind]))
	}
	return strings.Join(all, ", ")
}

// listed demands that pkcs11-tool lists the key of each version, and none that was destroyed.
func (v *versions) listed() {
	v.Helper()
	if len(v.destroyed) == 0 {
		return
	}
	all := pkcs11test.Objects(v, rehearsal.PIN)
	for n := range v.made {
		label := kek.NameOf(v.chain, n+1).Label
		if strings.Contains(all, label+"\n") == slices.Contains(v.destroyed, n+1) {
			v.Errorf("destroyed are %v, and of %s pkcs11-tool lists\n%s", v.destroyed, label, all)
		}
	}
}
