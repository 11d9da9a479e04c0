package status

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// shown is how many silent processes are listed: anyone who can write heartbeats can write as
// many as he likes.
const shown = 20

func (st *Status) fleet(ctx context.Context, s Site) (err error) {
	if st.now, err = s.Store.Now(ctx); err != nil {
		return err
	}
	live, err := s.Store.Heartbeats(ctx, st.now.Add(-s.Live))
	if err != nil {
		return err
	}
	silent, err := s.Store.Silent(ctx, st.now.Add(-s.Live), "", shown+1)
	if err != nil {
		return err
	}
	live = slices.DeleteFunc(live, func(b store.Heartbeat) bool { return b.Stopped })
	st.More = len(silent) > shown
	for _, b := range live {
		st.Fleet = append(st.Fleet, st.process(b, true))
	}
	for _, b := range silent[:min(len(silent), shown)] {
		p := st.process(b, false)
		p.Replaced = slices.ContainsFunc(live, func(l store.Heartbeat) bool {
			return l.Role == b.Role && l.Started.After(b.Seen.Add(-s.Live)) // the clocks of its host and the store differ
		})
		st.Fleet = append(st.Fleet, p)
	}
	st.AtLeast = !slices.ContainsFunc(st.Fleet, func(p ProcessStatus) bool { return p.Counts }) ||
		slices.ContainsFunc(st.Fleet, func(p ProcessStatus) bool { return !p.Counts })
	st.missing(s.Expect, live)
	return nil
}

func (st *Status) process(b store.Heartbeat, live bool) ProcessStatus {
	return ProcessStatus{
		Process: printable.Text(b.Process),
		Role:    printable.Text(b.Role),
		Writes:  b.Current,
		Claims:  append([]kek.Version{}, slices.Sorted(maps.Keys(b.Proofs))...),
		Live:    live,
		Counts:  b.Lease > 0,
		Seconds: int(st.now.Sub(b.Seen).Seconds()),
		Trouble: printable.Text(b.Trouble),
	}
}

// missing names the roles with fewer live processes than there must be.
func (st *Status) missing(expect map[string]int, live []store.Heartbeat) {
	n := map[string]int{}
	for _, b := range live {
		n[b.Role]++
	}
	for _, role := range slices.Sorted(maps.Keys(expect)) {
		if n[role] < expect[role] {
			st.Missing = append(st.Missing, fmt.Sprintf("%d of %d %s", n[role], expect[role], role))
		}
	}
}
