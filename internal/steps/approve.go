package steps

import "github.com/certautopilot/kekceremony/internal/quorum"

// approve gathers M signatures over the joined plan of acts.
func approve(name string, acts ...string) Step {
	return Step{
		Name: name, Title: "Plan and approval",
		Why:    "These changes will be made, and no others, after the quorum approves them.",
		Gather: &Gather{Purpose: quorum.Approve, Acts: acts},
	}
}
