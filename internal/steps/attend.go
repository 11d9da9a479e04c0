package steps

import (
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// attend has people show that they are here and hold their keys.
func attend(all bool) Step {
	return Step{
		Name: "attend", Title: "Attendance", EveryRun: true,
		Why: "Compare your fingerprint, and the last final digest if there is one, with your own paper. " +
			"Then type your name to sign.",
		Gather: &Gather{Purpose: quorum.Attend, All: all},
	}
}
