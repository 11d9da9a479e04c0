//go:build torture

package main_test

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// TestElectionOfEachKind: in each step of every ceremony of a key's life, one command of each kind that the console
// sends meets an election. The ceremonies continue by themselves, and do everything once.
func TestElectionOfEachKind(t *testing.T) {
	t.Parallel()
	const records = 800 // over a hundred of a collection: the server gives them in two batches
	server := mongotest.Start(t)
	parts := hastened(t, mongoRehearsal(t, server), pkcs11test.Module(t))
	door := apart(t, server, parts)
	s := newStages(parts)
	s.kinds = true
	through := func(args []string) {
		t.Helper()
		door.Elect(s.meets)
		defer door.Elect(nil)
		steps := s.through(t, "the waiting period", args)
		t.Log(args[0], door.Elections(), "elections in", steps)
	}
	through(unattended(parts, "install"))
	a := begun(t, parts, records)
	gone := store.Heartbeat{Process: "gone/app/1/1", Role: rehearsal.Role}
	if err := openStore(t, parts).Heartbeat(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	through(rotateTo(parts, 2))
	whole(t, parts, a, records)
	through(unattended(parts, "disable", "--version", "1"))
	through(unattended(parts, "destroy", "--version", "1"))
	must(t, append([]string{"transcript", "verify"}, bundlesOf(t, parts)...)...)
	var commands []string
	for _, kinds := range s.met {
		for _, kind := range kinds {
			command, _, _ := strings.Cut(kind, " ")
			commands = append(commands, command)
		}
	}
	slices.Sort(commands)
	t.Log(slices.Compact(slices.Clone(commands)))
	demand(t, commands, "find", "getMore", "aggregate", "listCollections", "insert", "update", "delete", "createIndexes",
		"collMod")
}

// TestHoleInEachStep is TestHoleInSteps in each step of a rotation, disable and destroy. A command that has opened
// nothing yet ends, and says that it is to be run again.
func TestHoleInEachStep(t *testing.T) {
	t.Parallel()
	const records = 60
	server := mongotest.Start(t)
	parts, a := swiftOn(t, server, records)
	door := apart(t, server, parts)
	s := newStages(parts)
	through := func(args []string) {
		t.Helper()
		door.HoleFrom(s.meets, 1)
		defer door.Hole(false)
		t.Log(args[0], s.through(t, "", args))
	}
	through(rotateTo(parts, 2))
	whole(t, parts, a, records)
	through(unattended(parts, "disable", "--version", "1"))
	through(unattended(parts, "destroy", "--version", "1"))
	must(t, append([]string{"transcript", "verify"}, bundlesOf(t, parts)...)...)
}

// TestHoleOutlasts: in each step of a rotation, the network swallows everything until the command ends. It says that
// the store does not answer; the same command continues.
func TestHoleOutlasts(t *testing.T) {
	t.Parallel()
	const rooms, records = 4, 60 // side by side, as each waits
	for room := range uint32(rooms) {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			t.Parallel()
			server := mongotest.Start(t)
			parts, a := swiftOn(t, server, records)
			door := apart(t, server, parts)
			s := newStages(parts)
			s.only = func(at stage) bool {
				h := fnv.New32a()
				h.Write([]byte(at.kind + " " + at.step))
				return h.Sum32()%rooms == room
			}
			s.before = func() { door.HoleFrom(s.meets, 0) }
			t.Log(s.through(t, "the store does not answer", rotateTo(parts, 2)))
			door.Hole(false)
			whole(t, parts, a, records)
		})
	}
}

// TestSlowRotationLong is TestSlowRotation with hundreds of records, also over a link on which what they take, asked
// for at once, takes longer than a command may.
func TestSlowRotationLong(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{900 << 10, 150 << 10} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			slowRotation(t, 300, 400, rate)
		})
	}
}
