//go:build torture

package main_test

import (
	"fmt"
	"hash/fnv"
	"regexp"
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
		steps := s.through(t, nil, args)
		t.Log(args[0], door.Elections(), "elections in", steps)
	}
	through(unattended(parts, "install"))
	s.command = "application" // makes collections, which no ceremony does
	door.Elect(s.meets)
	a := begun(t, parts, records)
	door.Elect(nil)
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
	demand(t, commands, "find", "getMore", "aggregate", "count", "listCollections", "insert", "update", "delete",
		"findAndModify", "create", "createIndexes", "collMod")
}

// TestHoleInEachStep is TestHoleInSteps in each step of a rotation, disable and destroy. A command that has opened
// nothing yet ends, and says that it is to be run again.
func TestHoleInEachStep(t *testing.T) {
	t.Parallel()
	const records = 60
	server := mongotest.Start(t)
	parts, a := swiftOn(t, server, records)
	door := apartWith(t, server, parts, soon)
	s := newStages(parts)
	through := func(args []string) {
		t.Helper()
		door.HoleFrom(s.meets, 1)
		defer door.Hole(false)
		t.Log(args[0], s.through(t, notOpened, args))
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
	inRooms(t, func(t *testing.T, server *mongotest.Server, mine func(string) bool) {
		const records = 60
		parts, a := swiftOn(t, server, records)
		door := apartWith(t, server, parts, soon)
		s := newStages(parts)
		s.only = func(at stage, kind string) bool { return kind != ofLog && mine(at.kind+" "+at.step) }
		s.before = func() { door.HoleFrom(s.meets, 0) }
		t.Log(s.through(t, regexp.MustCompile("the store does not answer"), rotateTo(parts, 2)))
		door.Hole(false)
		whole(t, parts, a, records)
	})
}

// TestMajorityLost: each kind of write of each step of a rotation, and of a destruction, finds the majority lost. It is
// there again when the command has ended, which says that it was not; the same command continues, whether what was
// written meanwhile is there then, or was rolled back.
func TestMajorityLost(t *testing.T) {
	t.Parallel()
	for _, ceremony := range []string{"rotate", "destroy"} {
		for _, back := range []bool{false, true} { // first; by turns from then on
			t.Run(fmt.Sprintf("%s %v", ceremony, back), func(t *testing.T) {
				t.Parallel()
				inRooms(t, func(t *testing.T, server *mongotest.Server, mine func(string) bool) {
					majorityLost(t, server, ceremony, back, mine)
				})
			})
		}
	}
}

// unmet is said of a lost majority; a server of a busy machine may be silent, too.
var unmet = regexp.MustCompile("the majority|waiting for replication|the store does not answer")

func majorityLost(t *testing.T, server *mongotest.Server, ceremony string, back bool, mine func(string) bool) {
	const records = 60
	parts, a := swiftOn(t, server, records)
	door := apart(t, server, parts)
	args := rotateTo(parts, 2)
	if ceremony == "destroy" {
		must(t, args...)
		must(t, unattended(parts, "disable", "--version", "1")...)
		args = unattended(parts, ceremony, "--version", "1")
	}
	s := newStages(parts)
	s.kinds = true
	s.only = func(at stage, kind string) bool {
		command, _, _ := strings.Cut(kind, " ")
		return (command == "insert" || command == "update") && mine(at.kind+" "+at.step+" "+kind)
	}
	s.before = func() {
		door.Rejoin(t, back)
		back = !back
		door.AloneFrom(s.meets)
	}
	t.Log(s.through(t, unmet, args))
	door.Rejoin(t, false)
	whole(t, parts, a, records)
}

// inRooms does the same in a few rooms side by side, as each waits. What happens in one happens in no other.
func inRooms(t *testing.T, do func(t *testing.T, server *mongotest.Server, mine func(what string) bool)) {
	t.Helper()
	const rooms = 6
	for room := range uint32(rooms) {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			t.Parallel()
			do(t, mongotest.Start(t), func(what string) bool {
				h := fnv.New32a()
				h.Write([]byte(what))
				return h.Sum32()%rooms == room
			})
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
			slowRotation(t, 300, 400, rate, 0)
		})
	}
}
