package status

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// waiting is the newest version, if it was made and is not in use yet.
func (st *Status) waiting() kek.Version {
	newest := st.Versions[len(st.Versions)-1]
	if newest.Version > st.Active && newest.State == string(store.Live) {
		return newest.Version
	}
	return 0
}

// next is the version to rotate to when the active one comes to an end.
func (st *Status) next() kek.Version {
	return cmp.Or(st.waiting(), st.Versions[len(st.Versions)-1].Version+1)
}

// target is the version to bring leftovers to: the active one, unless a rotation to it is refused or another
// one is due.
func (st *Status) target() kek.Version {
	for _, v := range st.Versions {
		if v.Version == st.Active && v.Wraps.Spent() {
			return st.next()
		}
	}
	if st.stopped() {
		return st.next()
	}
	return cmp.Or(st.waiting(), st.Active)
}

func rotate(v kek.Version) string { return fmt.Sprintf("kekceremony rotate --to-version %d", v) }

// stopped reports whether nothing is to be written: the active version is compromised.
func (st *Status) stopped() bool {
	return slices.ContainsFunc(st.Versions, func(v VersionStatus) bool {
		return v.Version == st.Active && v.State == string(store.Compromised)
	})
}
