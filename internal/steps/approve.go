package steps

import "github.com/certautopilot/kekceremony/internal/quorum"

// approve gathers M signatures over the joined plan of acts.
func approve(name string, acts ...string) Step {
	title := "Approve the plan"
	if name == "approve-key" { // a rotation has both
		title = "Approve the key"
	}
	return Step{
		Name: name, Title: title,
		Why:    "These changes will be made, and no others, after the quorum approves them.",
		Gather: &Gather{Purpose: quorum.Approve, Acts: acts},
	}
}
