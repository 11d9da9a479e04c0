package engine

import "github.com/certautopilot/kekceremony/internal/printable"

// Lines are the final digest and the path of the bundle. They stay on the terminal when
// the wizard's screen is gone, and end the standard output of an unattended run.
func (e *Ending) Lines() []string {
	return []string{"final digest  " + e.Digest, "transcript    " + printable.Line(e.Bundle)}
}
