package text

import (
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// Says is what the last page says was done, and who signed it.
func Says(e *engine.Ending) []string {
	if e.Digest == "" {
		return e.Summary
	}
	return append(e.Summary, "Final signatures: "+strings.Join(e.Signed, ", ")+".")
}

// WriteDown is asked for under a final digest.
const WriteDown = "Write it down now, each on your own paper."

// Commands check a bundle, each by copying one line.
func Commands(e *engine.Ending) []string {
	check := []string{"Check it      kekceremony transcript verify \\", "                " + e.Bundle}
	if e.Digest == "" { // nobody signed
		return check
	}
	return append(check,
		"Stock tools   cd "+e.Bundle,
		fmt.Sprintf("              ssh-keygen -Y verify -f roster -I %s \\", e.Signer),
		fmt.Sprintf("                -n %s \\", e.Space),
		fmt.Sprintf("                -s final.%[1]s.txt.sig < final.%[1]s.txt", e.Signer),
		"              sha256sum final.txt",
	)
}
