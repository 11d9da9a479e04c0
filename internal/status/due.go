package status

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// The commands that show more of what they are due for.
const (
	verifyFleet = "kekceremony verify"
	probeKeys   = "kekceremony probe"
)

// due adds what follows from what was read, in the order in which to do it. Of a store that cannot be
// believed, or whose install is not finished, nothing follows.
func (st *Status) due(s Site) {
	switch {
	case st.doubt || st.open && len(st.history.Logs) == 0:
		return
	case !st.Installed:
		command := "kekceremony install"
		if s.Adopts {
			command = "kekceremony adopt"
		}
		st.add(command, "the store is not installed")
		return
	case len(st.Versions) == 0:
		st.add("kekceremony transcript list", "the store has a lock but no version: its restore is incomplete")
		return
	}
	if !st.open {
		st.disagreedDue()
		st.leftDue()
		st.compromisedDue()
		st.refusedDue()
		st.destroyDue()
	}
	st.activeDue(s.Policy)
	st.Due = append(st.Due, rosterDue(st.roster, st.now, s.Policy.Warning)...)
	st.keysDue()
	st.fleetDue()
}

// disagreedDue adds that too few agree with the end of the last ceremony, until another one follows it.
func (st *Status) disagreedDue() {
	if st.Last.Disagreed {
		st.add("kekceremony transcript list", "ceremony %d, %s: %s; %s", st.Last.Seq, st.Last.Kind,
			printable.Text(st.history.Disagreed.Error()), transcript.DisagreedNext)
	}
}

// theirs adds that the pointer of an application names another version than ours.
func (st *Status) theirs(ctx context.Context, s Site) error {
	if s.Pointer == nil || !st.Installed || st.doubt || st.open {
		return nil
	}
	theirs, err := s.Store.TheirActive(ctx, *s.Pointer)
	if err != nil && ctx.Err() == nil { // a wrong description hides nothing else
		st.add(verifyFleet, "%s", printable.Text(err.Error()))
		return nil
	}
	if err == nil && theirs != st.Active {
		st.add(verifyFleet, "the application's pointer names version %d, and version %d is active", theirs, st.Active)
	}
	return err
}

// leftDue adds what is otherwise than a ceremony leaves it.
func (st *Status) leftDue() {
	for _, d := range st.behind.Differences {
		if d.Was == string(store.Compromised) { // the store forgot it
			continue
		}
		st.add(rotate(st.behind.Census.Active), "%s", d.Error())
	}
	for _, d := range st.behind.Fence {
		st.add(rotate(st.target()), "%s", d.Error())
	}
	if next := st.waiting(); next > 0 {
		st.add(rotate(next), "version %d was generated and is not in use", next)
	}
	for _, v := range st.Versions {
		if v.Version < st.Active && v.State == string(store.Live) && len(st.behind.Differences) == 0 {
			st.add(rotate(st.target()), "version %d is live and not active: it was not retired", v.Version)
		}
	}
	if n := st.behind.Census.Due; n > 0 {
		st.add(rotate(st.target()), "%s envelopes are not at version %d", printable.Count(n), st.behind.Census.Active)
	}
}

// activeDue adds the ends of the active version.
func (st *Status) activeDue(p Policy) {
	i := slices.IndexFunc(st.Versions, func(v VersionStatus) bool { return v.Version == st.Active })
	if i < 0 {
		return
	}
	v, life := st.Versions[i], st.history.Life(st.Active)
	if v.Wraps.Due() {
		refused := ""
		if v.Wraps.Spent() {
			refused = ": no rotation goes to it any more"
		}
		st.add(rotate(st.next()), "%s%s are counted under version %d%s", st.atLeast(), v.Wraps, v.Version, refused)
	}
	if !life.End.IsZero() && st.now.Add(p.Warning).After(life.End) {
		st.add(rotate(st.next()), "version %d: its planned end of use %s %s", v.Version,
			tense(st.now, life.End, "was", "is"), v.End)
	}
	age := st.now.Sub(life.Made)
	if p.MaxAge > 0 && !life.Made.IsZero() && age+p.Warning >= p.MaxAge {
		st.add(rotate(st.next()), "version %d is %s old, and may become %s", v.Version, days(age), days(p.MaxAge))
	}
}

// rosterDue are the keys that people cannot sign with any more, or not for long.
func rosterDue(r quorum.Roster, now time.Time, warning time.Duration) (all []Due) {
	for _, m := range r.Members {
		if !m.Before.IsZero() && !now.Add(warning).Before(m.Before) {
			why := fmt.Sprintf("the key of %s %s good until %s", m.Name, tense(now, m.Before, "was", "is"),
				m.Before.Format(time.DateOnly))
			all = append(all, Due{why, "kekceremony roster"})
		}
	}
	return all
}

func (st *Status) keysDue() {
	for _, v := range st.NoKey {
		st.add(probeKeys, "the provider has no key of version %d", v)
	}
	if len(st.NoVersion) > 0 && !st.open { // a ceremony may be between a key and its version
		st.add(probeKeys, "the provider has keys of no version: %s", printable.List(st.NoVersion).Brief())
	}
}

// fleetDue adds roles with too few processes, and what processes do otherwise than they should.
func (st *Status) fleetDue() {
	for _, m := range st.Missing {
		st.add(verifyFleet, "live processes: only %s", m)
	}
	for _, g := range st.alike(func(p ProcessStatus) string {
		switch {
		case !p.Live && !p.Replaced:
			return "fell silent, with no replacement"
		case !p.Live:
		case p.Trouble != "":
			return "trouble: " + p.Trouble
		case p.Writes != st.Active && !(p.Writes == 0 && st.stopped()):
			return fmt.Sprintf("writes version %d, not the active version %d", p.Writes, st.Active)
		}
		return ""
	}) {
		st.add(verifyFleet, "%s", g)
	}
}

// alike is what why says of processes, once for all of which it says the same.
func (st *Status) alike(why func(ProcessStatus) string) (all []string) {
	var order []string
	names := map[string]printable.List{}
	for _, p := range st.Fleet {
		if w := why(p); w != "" {
			if names[w] == nil {
				order = append(order, w)
			}
			names[w] = append(names[w], p.Process)
		}
	}
	for _, w := range order {
		all = append(all, names[w].Brief()+": "+w)
	}
	return all
}

// atLeast is what stands before a count that may be too low.
func (st *Status) atLeast() string {
	if st.AtLeast {
		return "at least "
	}
	return ""
}

func tense(now, end time.Time, past, present string) string {
	if end.After(now) {
		return present
	}
	return past
}

// days is a duration as people count it.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d < 2*day {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%d days", d/day)
}
