package status

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// leaving says of each version what SP 800-57 calls its state, whether it can be disabled, and how
// often processes
// refused it since it was disabled last.
func (st *Status) leaving(ctx context.Context, s Site) error {
	at := map[kek.Version]bool{}
	for _, f := range st.Envelopes {
		at[f.Version] = at[f.Version] || f.N > 0
	}
	for i := range st.Versions {
		v := &st.Versions[i]
		state := store.State(v.State)
		v.SP80057 = state.SP80057(v.Version == st.Active, v.Wraps > 0)
		v.Ready = v.Version != st.Active && !at[v.Version] && (state == store.Retired || state == store.Compromised)
		if how, disabled := st.history.Disabled(v.Version); disabled {
			all, err := s.Store.Refusals(ctx, v.Version)
			if err != nil {
				return err
			}
			for _, r := range all {
				if r.Epoch >= how.Epoch {
					v.Refused += r.Count
				}
			}
		}
	}
	return nil
}

// refusedDue adds disabled versions that a process was asked to open.
func (st *Status) refusedDue() {
	for _, v := range st.Versions {
		if v.Refused > 0 {
			st.add(fmt.Sprintf("kekceremony enable --version %d", v.Version),
				"version %d is disabled, and processes refused %d envelopes of it since: find out which", v.Version, v.Refused)
		}
	}
}
