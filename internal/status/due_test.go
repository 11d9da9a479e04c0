package status

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// TestRosterDue: a key is due when the warning begins, and after its end. A key without a date never is.
func TestRosterDue(t *testing.T) {
	text := transcripttest.RosterOf(1, quorum.Production, transcripttest.Operator(t, "alice"),
		transcripttest.Operator(t, "bob"))
	text = strings.Replace(text, `" ssh`, `",valid-before="20270101120000Z" ssh`, 1)
	r, err := quorum.ParseRoster([]byte(text), quorum.Production)
	if err != nil {
		t.Fatal(err)
	}
	end := r.Members[0].Before
	for _, c := range []struct {
		name string
		now  time.Time
		want []Due
	}{
		{"before", end.Add(-time.Hour - time.Second), nil},
		{"near", end.Add(-time.Hour), []Due{{"the key of alice is good until 2027-01-01", "kekceremony roster"}}},
		{"over", end, []Due{{"the key of alice was good until 2027-01-01", "kekceremony roster"}}},
	} {
		if got := rosterDue(r, c.now, time.Hour); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// TestFleetDue: processes of which the same is to be said are named together, and nothing is said of those
// that do as they should, or were replaced.
func TestFleetDue(t *testing.T) {
	of := func(name string, writes kek.Version, live, replaced bool, trouble string) ProcessStatus {
		return ProcessStatus{Process: name, Writes: writes, Live: live, Replaced: replaced, Trouble: trouble}
	}
	st := Status{Active: 2, Missing: []string{"1 of 3 app"}, Fleet: []ProcessStatus{
		of("a", 2, true, false, ""), of("b", 1, true, false, ""), of("c", 0, true, false, "no key"),
		of("d", 0, true, false, "no key"), of("e", 1, false, false, "no key"), of("f", 1, false, true, "no key"),
	}}
	st.fleetDue()
	want := []Due{
		{"live processes: only 1 of 3 app", "kekceremony verify"},
		{"b: writes version 1, not the active version 2", "kekceremony verify"},
		{"c, d: trouble: no key", "kekceremony verify"},
		{"e: fell silent, with no replacement", "kekceremony verify"},
	}
	if !slices.Equal(st.Due, want) {
		t.Errorf("got %q", st.Due)
	}
}

// TestTarget: leftovers go to the active version, but for one that waits, or when rotations to it are refused.
func TestTarget(t *testing.T) {
	of := func(v kek.Version, state string, wraps kek.Wraps) VersionStatus {
		return VersionStatus{Version: v, State: state, Wraps: wraps}
	}
	const spent = kek.MaxWraps / 10 * 9
	for name, c := range map[string]struct {
		third        VersionStatus
		wraps        kek.Wraps // of the active version, 2
		target, next kek.Version
	}{
		"active":              {of(3, "retired", 0), spent - 1, 2, 4},
		"waiting":             {of(3, "live", 0), 0, 3, 3},
		"spent":               {of(3, "retired", 0), spent, 4, 4},
		"spent, next waiting": {of(3, "live", 0), spent, 3, 3},
	} {
		st := Status{Active: 2, Versions: []VersionStatus{of(1, "retired", spent), of(2, "live", c.wraps), c.third}}
		if st.target() != c.target || st.next() != c.next {
			t.Errorf("%s: target %d, next %d", name, st.target(), st.next())
		}
	}
}
