package fleet

import (
	"fmt"
	"slices"
	"strings"
)

// Wait is why a ceremony may not continue yet, and what helps. Zero: it may.
type Wait struct{ Why, Remedy string }

// Shortage is a role with fewer live processes than expected.
type Shortage struct {
	Role           string
	Live, Expected int
}

func (s Shortage) String() string { return fmt.Sprintf("%d of %d %s", s.Live, s.Expected, s.Role) }

// MarshalText implements encoding.TextMarshaler.
func (s Shortage) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Short lists the roles with fewer live processes than expected; empty: there are none.
func (t Table) Short() string {
	all := make([]string, len(t.Missing))
	for i, s := range t.Missing {
		all[i] = s.String()
	}
	return strings.Join(all, ", ")
}

// missed says who is not there: all of a role, some, or nobody at all.
func (t Table) missed() Wait {
	why := "only " + t.Short()
	switch {
	case len(t.Live()) == 0 && len(t.Missing) == 0:
		why = "no live process"
	case len(t.Live()) == 0:
		why = "no live process: " + t.Short()
	case len(t.Missing) == 0:
		return Wait{}
	}
	roles := make([]string, len(t.Missing))
	for i, s := range t.Missing {
		roles[i] = fmt.Sprintf("--role %s (%d missing)", s.Role, s.Expected-s.Live)
	}
	if len(roles) == 0 {
		roles = []string{"--role ROLE"}
	}
	return Wait{why, "Start the application on its host, or there: kekceremony agent " + strings.Join(roles, ", ")}
}

// wait names the live processes for which ok does not hold. The remedy is early until one of them had time to do by
// itself what is waited for, and then late. ROLE of a remedy is that of the first one, unless that is no role: people
// may copy the command.
func (t Table) wait(ok func(Process) bool, why, early, late string) Wait {
	waited := slices.DeleteFunc(t.Live(), ok)
	if len(waited) == 0 {
		return Wait{}
	}
	remedy := early
	if slices.ContainsFunc(waited, func(p Process) bool { return !t.Now.Add(-p.Age).Before(t.Fair) }) {
		remedy = late
	}
	if role := waited[0].Role; CheckRole(role) == nil {
		remedy = strings.ReplaceAll(remedy, "ROLE", role)
	}
	return Wait{why + ": " + t.among(ok), remedy}
}

// Lacking says why the fleet may not continue yet: a live process without the
// target, a role with too few, or nobody at all.
func (t Table) Lacking() Wait {
	if w := t.missed(); w.Why != "" {
		return w
	}
	return t.wait(func(p Process) bool { return p.Has }, fmt.Sprintf("processes without version %d", t.Target),
		"Each looks for its key at its next heartbeat.",
		fmt.Sprintf("Make the key of version %d reachable on the host of each. If that is not enough, restart it there: "+
			"the application, or kekceremony agent --role ROLE", t.Target))
}

// Behind names the live processes that do not write the target yet.
func (t Table) Behind() Wait {
	if w := t.Lacking(); w.Why != "" {
		return w
	}
	const early = "Each switches at its next heartbeat."
	return t.wait(func(p Process) bool { return p.Writes },
		fmt.Sprintf("processes that do not write version %d yet", t.Target), early,
		fmt.Sprintf(early+" For one that does not: set its pointer to version %d, and restart "+
			"it: the application, or kekceremony agent --role ROLE", t.Target))
}

// Writing names the live processes that still write the target.
func (t Table) Writing() Wait {
	const early = "Each stops writing at its next heartbeat."
	return t.wait(func(p Process) bool { return !p.Writes },
		fmt.Sprintf("processes that still write version %d", t.Target), early,
		early+" Stop one that does not, on its host.")
}

// Holding names the live processes that have not acknowledged yet that a version is to be dropped.
func (t Table) Holding() Wait {
	if w := t.Lacking(); w.Why != "" {
		return w
	}
	const early = "Each drops it at its next heartbeat."
	return t.wait(func(p Process) bool { return !p.Holds }, fmt.Sprintf("processes that still have version %d", t.Dropped),
		early, early+" Restart one that does not: the application, or kekceremony agent --role ROLE")
}
