package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Rule is what a ready fleet must satisfy.
type Rule struct {
	Chain  kek.Chain
	Target kek.Version
	Canary []byte         // of the target, unwrapped by this console
	Bound  bool           // the target is bound: a process must say that it can bind
	Unwrap Unwrap         // instead of the canary, where no ceremony made the target yet
	Live   time.Duration  // a process seen within it is live
	Expect map[string]int // at least so many live processes of each role
	Active store.Active   // the pointer, for what a process does not know yet; zero: that is not judged
	// Dropped is a version whose key no process may have since the pointer became Active; 0: none.
	Dropped kek.Version
	Silence *Silence // nil: it is read each time
}

// Process is one row of the fleet table.
type Process struct {
	Name    string        `json:"process"` // printable
	Role    string        `json:"role"`    // printable
	Current kek.Version   `json:"writes"`
	Has     bool          `json:"has_target"`        // it proved that it holds the target
	Writes  bool          `json:"writes_target"`     // it writes the target
	Silent  bool          `json:"silent"`            // not seen within Live, and it never said that it stopped
	Behind  bool          `json:"behind,omitempty"`  // it follows an older pointer than the rule's
	Holds   bool          `json:"holds,omitempty"`   // it has not acknowledged yet that a version is to be dropped
	Age     time.Duration `json:"-"`                 // since the last heartbeat, on the store's clock
	Trouble string        `json:"trouble,omitempty"` // printable
}

// Table is the fleet at one moment: every live process, and some of the silent ones.
// Processes that stopped are left out.
type Table struct {
	Target    kek.Version `json:"target"`
	Dropped   kek.Version `json:"dropped,omitempty"` // version whose key processes must drop
	Unmade    bool        `json:"unmade,omitempty"`  // no ceremony made the target yet
	Processes []Process   `json:"processes"`
	Missing   []Shortage  `json:"missing,omitempty"` // roles with fewer live processes than expected
	More      bool        `json:"more,omitempty"`    // there are more silent processes than these
	Now       time.Time   `json:"-"`                 // of the store's clock
	Fair      time.Time   `json:"-"`                 // a process that reported since then had time to find the target
}

// Look reads the heartbeats and judges them.
func Look(ctx context.Context, s store.Fleet, r Rule) (Table, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return Table{}, err
	}
	heartbeats, err := s.Heartbeats(ctx, now.Add(-r.Live))
	if err != nil {
		return Table{}, err
	}
	silent, err := r.Silence.in(ctx, s, now.Add(-r.Live))
	if err != nil {
		return Table{}, err
	}
	t := Table{Target: r.Target, Dropped: r.Dropped, Unmade: r.Unwrap != nil, Now: now, More: len(silent) > shown}
	live := map[string]int{}
	back := func(b store.Heartbeat) bool { // since the silence was read
		return slices.ContainsFunc(heartbeats, func(h store.Heartbeat) bool { return h.Process == b.Process })
	}
	silent = slices.DeleteFunc(slices.Clone(silent[:min(len(silent), shown)]), back)
	for _, b := range append(heartbeats, silent...) {
		if b.Stopped {
			continue
		}
		p := r.judge(b, now)
		if !p.Silent && p.Age >= -r.Live {
			live[b.Role]++
		}
		t.Processes = append(t.Processes, p)
	}
	for _, role := range slices.Sorted(maps.Keys(r.Expect)) {
		if want := r.Expect[role]; live[role] < want {
			t.Missing = append(t.Missing, Shortage{role, live[role], want})
		}
	}
	return t, nil
}

// judge looks at one heartbeat. One that is ahead of the clock, which then went back,
// may be of a process that ended: it makes nobody wait for less, and does not
// count as one of those that must be there. Anyone who is live reports again.
func (r Rule) judge(b store.Heartbeat, now time.Time) Process {
	p := Process{
		Name:    nameOf(b),
		Role:    printable.Text(b.Role),
		Current: b.Current,
		Has:     r.proved(b),
		Writes:  b.Current == r.Target,
		Silent:  now.Sub(b.Seen) > r.Live,
		Behind:  b.Epoch > 0 && b.Epoch < r.Active.Epoch,
		Age:     now.Sub(b.Seen),
		Trouble: printable.Text(b.Trouble),
	}
	if r.Dropped > 0 {
		p.Holds = b.Epoch < r.Active.Epoch || b.Proofs[r.Dropped] != ""
	}
	if p.Holds && p.Trouble == "" {
		p.Trouble = fmt.Sprintf("it has not dropped version %d yet", r.Dropped)
	}
	if p.Behind && p.Trouble == "" {
		p.Trouble = fmt.Sprintf("it does not know yet that version %d is active", r.Active.Version)
	}
	if r.Bound && !b.Binds {
		p.Has = false
		p.Trouble = fmt.Sprintf("version %d is bound to records, and it does not say that it can do that", r.Target)
	}
	if b.Lease > r.Live { // it wraps on when nobody waits for it any more
		p.Has = false
		p.Trouble = fmt.Sprintf("its fleet.live is %s, and this console's is %s", b.Lease, r.Live)
	}
	if p.Age < -r.Live {
		p.Trouble = fmt.Sprintf("its heartbeat is %s ahead of the store's clock, which was set back",
			-p.Age.Round(time.Second))
	}
	return p
}

// proved compares a heartbeat's proof of the target with what this console's key makes of it.
func (r Rule) proved(b store.Heartbeat) bool {
	if r.Unwrap != nil {
		return r.Unwrap.proved(r, b)
	}
	return same(b.Proofs[r.Target], Proof(r.Canary, r.Chain, r.Target, b))
}

// among names the live processes for which ok does not hold.
func (t Table) among(ok func(Process) bool) string {
	var names printable.List
	for _, p := range t.Live() {
		if !ok(p) {
			names = append(names, p.Name)
		}
	}
	return names.Brief()
}

// Live lists the live processes.
func (t Table) Live() []Process {
	return slices.DeleteFunc(slices.Clone(t.Processes), func(p Process) bool { return p.Silent })
}

// LiveNames are the names of the live processes.
func (t Table) LiveNames() (names printable.List) {
	for _, p := range t.Live() {
		names = append(names, p.Name)
	}
	return names
}
