package storetest

import "testing"

// part of the suite.
type part struct {
	name string
	test func(*testing.T, Backend)
}

func run(t *testing.T, b Backend, parts []part) {
	for _, c := range parts {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, b)
		})
	}
}

// Run runs the whole suite.
func Run(t *testing.T, b Backend) {
	RunOwn(t, b)
	run(t, b, []part{
		{"a record that is not there", testAbsent},
		{"census", testCensus},
		{"pages", testPages},
		{"swap", testSwap},
		{"swap of a page of many", testManySwaps},
		{"swap of a record with three envelopes", testThree},
		{"strangers", testStrangers},
		{"something else in a field", testOdd},
		{"forms", testForms},
		{"arrays that change", testArrays},
		{"what an envelope is bound to", testBound},
		{"keys of elements", testKeys},
		{"places that the catalogue lacks", testStrangeForms},
		{"an envelope of another form", testOtherForm},
		{"an envelope where there was none", testAbsence},
		{"a version that is none", testNoVersion},
		{"a wrapped DEK that is none", testNoDEK},
		{"a pointer of an application", testTheirs},
		{"a lock of another prefix", testOtherLock},
		{"fence", testFence},
		{"fence at every form", testFenceForms},
	})
}

// RunOwn runs the part about a ceremony's own records.
func RunOwn(t *testing.T, b Backend) {
	run(t, b, []part{
		{"lock", testLock},
		{"bad lock", testBadLock},
		{"versions", testVersions},
		{"wraps", testWraps},
		{"pointer", testPointer},
		{"ceremonies, of which nobody opens one twice (C08)", testCeremonies},
		{"entries", testEntries},
		{"an install that was given up", testVoid},
		{"one of many wins", testOneWins},
		{"heartbeats", testHeartbeats},
		{"refusals", testRefusals},
	})
}
