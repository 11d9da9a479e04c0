package steps

import (
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// prove has everybody whose key is new show that the key is there.
func prove() Step {
	return Step{
		Name: "prove", Title: "Proof of the new keys",
		Why:    "New operators: type your name to sign. Each key in a roster must be one that its owner can use.",
		Gather: &Gather{Purpose: quorum.Join, All: true},
	}
}
