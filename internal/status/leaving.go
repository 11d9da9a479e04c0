package status

import (
	"context"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// leaving says of each version what SP 800-57 calls its state, whether it can be disabled, and what its way
// out has come to.
func (st *Status) leaving(ctx context.Context, s Site) error {
	at, made := map[kek.Version]bool{}, st.history.Versions().Made
	for _, f := range st.Envelopes {
		at[f.Version] = at[f.Version] || f.N > 0
	}
	for i := range st.Versions {
		v := &st.Versions[i]
		state := store.State(v.State)
		v.Bound = made[v.Version].Bound
		v.SP80057 = state.SP80057(v.Version == st.Active, v.Wraps > 0)
		v.Ready = v.Version != st.Active && !at[v.Version] && (state == store.Retired || state == store.Compromised)
		if how, disabled := st.history.Disabled(v.Version); disabled {
			v.Destroy = how.Ends().UTC().Format(time.RFC3339)
			if err := v.refusals(ctx, s, how.Epoch); err != nil {
				return err
			}
		}
		if how, begun := st.history.Destroyed(v.Version); begun {
			v.Copies, v.Removed = printable.Text(how.Copies), how.Removed
		}
	}
	return nil
}

// refusals counts how often processes refused a version since it was disabled last.
func (v *VersionStatus) refusals(ctx context.Context, s Site, epoch int) error {
	all, err := s.Store.Refusals(ctx, v.Version)
	for _, r := range all {
		if r.Epoch >= epoch {
			v.Refused += r.Count
		}
	}
	return err
}

// gone reports whether nothing is missing where a version has no key: it was destroyed, by the logs of closed
// ceremonies, or one that is not finished is destroying it.
func (st *Status) gone(v VersionStatus) bool {
	switch st.history.Versions().Made[v.Version].State {
	case store.Destroying, store.Destroyed:
		return true
	}
	state := store.State(v.State)
	return st.open && state.Doomed()
}

// destroyDue adds versions whose waiting period is over, and those of which a destruction left something.
func (st *Status) destroyDue() {
	for _, v := range st.Versions {
		command := fmt.Sprintf("kekceremony destroy --version %d", v.Version)
		how, disabled := st.history.Disabled(v.Version)
		switch {
		case disabled && v.State == string(store.Disabled) && v.Refused == 0 && !st.now.Before(how.Ends()):
			st.add(command, "version %d is disabled, and may be destroyed since %s", v.Version, v.Destroy)
		case st.history.Versions().Made[v.Version].State == store.Destroying && v.Copies == "":
			st.add(command, "the destruction of version %d was begun, and is not finished", v.Version)
		case v.Copies != "":
			st.add(command, "version %d is destroyed here, and copies of its key are open: %s", v.Version, v.Copies)
		case v.There:
			st.add(probeKeys, "the provider has the key of version %d, which is destroyed: a copy was left", v.Version)
		}
	}
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
