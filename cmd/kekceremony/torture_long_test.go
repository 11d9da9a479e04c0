//go:build torture

package main_test

import (
	"flag"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

var brief = flag.Bool("brief", false, "the short form of make torture")

// rotations is how many TestTortureLong makes.
var rotations int

func init() { beforehand = thorough }

// thorough has the tests try everything, or with -brief more than they do otherwise.
func thorough() {
	specimenStep, caseStep = 1, 1
	pace = time.Millisecond
	rotations, adoptedFactor, lifeKills, lifeEnds = 200, 25, 12, []int{1, 2}
	if *brief {
		endsTried, outage, rotations = 2, 10*time.Second, 10
		specimenStep, caseStep, adoptedFactor, lifeKills, lifeEnds = 8, 4, 1, 2, []int{2}
	}
}

// TestTortureLong is TestTorture at its full length, and old versions are ended meanwhile; make torture runs it.
func TestTortureLong(t *testing.T) {
	t.Parallel()
	const records = 5000
	parts, a := swift(t, records)
	torture(t, parts, a, records, rotations, endsAfter())
}

// TestTortureMongoLong is TestTortureLong on MongoDB. FerretDB 1 takes long for each record: it has fewer.
func TestTortureMongoLong(t *testing.T) {
	t.Parallel()
	const records = 300
	parts, a := swiftOn(t, mongotest.Start(t), records)
	torture(t, parts, a, records, rotations/2, endsAfter())
}

// endsAfter is after how many rotations old versions are ended.
func endsAfter() int {
	if *brief {
		return 5
	}
	return 4
}
