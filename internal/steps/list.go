package steps

import (
	"slices"

	"github.com/certautopilot/kekceremony/internal/transcript"
)

// All are the ceremonies, each without what a command names. A new one is its file, the
// files of its steps, and a line here.
func All() []Ceremony {
	return []Ceremony{Install(), Adopt(0), Rotate(Rotation{}), Generate(0), ChangeRoster(), Reconcile(),
		Compromise(0), Disable(0), Enable(0), Destroy(0)}
}

// Named is a ceremony by its kind, as All lists it.
func Named(kind string) (Ceremony, bool) {
	all := All()
	i := slices.IndexFunc(all, func(c Ceremony) bool { return c.Kind == kind })
	if i < 0 {
		return Ceremony{}, false
	}
	return all[i], true
}

// Resume is the command that continues a ceremony, by its first line; empty: none.
func Resume(opened Facts) string {
	c, ok := Named(opened[transcript.FactKind])
	if !ok {
		return ""
	}
	return c.Command(opened)
}
