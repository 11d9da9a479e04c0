package steps_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestMovedVersions: somebody moves the pointer back, or edits the state of a version. The next
// rotation names what differs and stops; it continues, and so repairs it, when people give a
// reason, which the transcript keeps.
func TestMovedVersions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ what, sql, want string }{
		"pointer": {"active_version", "UPDATE kek_active SET version = 1", "active_version: was 2, is 1"},
		"state":   {"version_1", "UPDATE kek_versions SET state = 'live' WHERE id = 1", "version_1: was retired, is live"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunning(t, 3)
			if err := r.rotate(nobody(r.parts)); err != nil {
				t.Fatal(err)
			}
			change(t, r.parts, c.sql)
			again := func(room engine.Room) error {
				return engine.Run(t.Context(), *r.site(), room, steps.Rotate(steps.Rotation{To: 3}))
			}
			err := again(nobody(r.parts))
			if !errors.Is(err, history.ErrVersions) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v", err)
			}
			room := nobody(r.parts)
			room.Answers[engine.AnswerDeviation+c.what] = "the database was repaired by hand, see ticket 12"
			if err := again(room); err != nil {
				t.Fatal(err)
			}
			all := bundles(t, r.parts, transcript.KindRotate)
			report, err := transcript.Verify(all[len(all)-1])
			if err != nil || len(report.Deviations) != 1 || report.Deviations[0].Facts[transcript.FactWhat] != c.what {
				t.Errorf("deviations %v, %v", report.Deviations, err)
			}
			keks, _ := r.site().Store.KEKs(t.Context())
			active, _ := r.site().Store.Active(t.Context())
			closed, err := r.site().Store.Ceremonies(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			h, err := history.Read(t.Context(), r.site().Store, closed)
			if err != nil || len(h.Versions().Differences(keks, active)) != 0 {
				t.Errorf("after the repair: %v, %v", h.Versions().Differences(keks, active), err)
			}
		})
	}
}

// TestVersionOfNobody: a version that no ceremony made says that the next ceremony did. No
// rotation goes over it.
func TestVersionOfNobody(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	s := r.site()
	keks, err := s.Store.KEKs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	planted := keks[0] // its canary opens: it is that of version 1
	planted.Version, planted.Ceremony = 2, 2
	if err := s.Store.InsertKEK(t.Context(), planted); err != nil {
		t.Fatal(err)
	}
	for _, to := range []steps.Rotation{{To: 2}, {To: 3}, {To: 1}} {
		err := engine.Run(t.Context(), *r.site(), nobody(r.parts), steps.Rotate(to))
		if err == nil || errors.Is(err, engine.ErrNothingDue) {
			t.Errorf("to version %d: %v", to.To, err)
		}
	}
}
