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

// Bundle is where the transcript is, in lines of at most width columns, if its name allows it.
func Bundle(e *engine.Ending, width int) []string {
	return labelled("Transcript", width, printable.Word(e.Bundle))
}

// Commands are what people may do next, and what checks a bundle, each by copying it: in lines as Bundle's.
func Commands(e *engine.Ending, width int) (lines []string) {
	for _, n := range e.Next {
		lines = append(lines, labelled(n.Label, width, n.Command)...)
	}
	if e.Digest == "" { // nobody signed
		return lines
	}
	return append(lines, labelled("Stock tools", width, "cd "+printable.Word(e.Bundle),
		fmt.Sprintf("ssh-keygen -Y verify -f roster -I %[1]s -n %[2]s -s final.%[1]s.txt.sig < final.%[1]s.txt",
			e.Signer, e.Space),
		"sha256sum final.txt")...)
}

// What commands are for stands beside them, or above them where there is little room.
const (
	labelWidth = 14
	narrow     = 60
)

// labelled are commands under what they are for.
func labelled(label string, width int, commands ...string) (lines []string) {
	head := fmt.Sprintf("%-*s", labelWidth, label)
	if width < narrow {
		lines, head = append(lines, label), "  "
	}
	for _, c := range commands {
		for _, part := range Command(c, width-len(head)) {
			lines, head = append(lines, head+part), strings.Repeat(" ", len(head))
		}
	}
	return lines
}
