package text

import (
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// Says is what the last page says was done, and who signed it.
func Says(e *engine.Ending) []string {
	lines := slices.Clip(e.Summary)
	if e.Digest != "" {
		lines = append(lines, "Final signatures: "+strings.Join(e.Signed, ", ")+".")
	}
	if e.Following != "" {
		lines = append(lines, e.Following)
	}
	return lines
}

// WriteDown is asked for under a final digest.
const WriteDown = "Write it down now, each on your own paper."

// commandWidth is how wide a command is at most beside what it is for, if its words allow it.
const commandWidth = 59

// Commands are what people may do next, and what checks a bundle, each by copying it.
func Commands(e *engine.Ending) (lines []string) {
	for _, n := range e.Next {
		head := fmt.Sprintf("%-14s", n.Label)
		for _, part := range Command(n.Command, commandWidth) {
			lines, head = append(lines, head+part), strings.Repeat(" ", len(head))
		}
	}
	if e.Digest == "" { // nobody signed
		return lines
	}
	return append(lines,
		"Stock tools   cd "+printable.Word(e.Bundle),
		fmt.Sprintf("              ssh-keygen -Y verify -f roster -I %s \\", e.Signer),
		fmt.Sprintf("                -n %s \\", e.Space),
		fmt.Sprintf("                -s final.%[1]s.txt.sig < final.%[1]s.txt", e.Signer),
		"              sha256sum final.txt",
	)
}
