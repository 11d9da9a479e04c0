package transcript_test

import (
	"errors"
	"testing"

	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// TestFirstLine: somebody writes a first line that readers may take for different things: a
// format that nobody knows, or the number of a ceremony in another way.
func TestFirstLine(t *testing.T) {
	t.Parallel()
	for fact, values := range map[string][]string{
		transcript.FactFormat:   {"", "kekceremony transcript v0", "kekceremony transcript v1 "},
		transcript.FactCeremony: {"", "0", "01", "+1", "-1", "1 ", "one", "99999999999999999999"},
	} {
		for _, value := range values {
			d := transcripttest.Rotation(t)
			d.Events[0].Facts[fact] = value
			_, err := transcript.Verify(d.Build().Write(t.TempDir()))
			var broken *transcript.RuleError
			if !errors.As(err, &broken) || broken.Rule != transcript.RuleLog {
				t.Errorf("%s %q: %v", fact, value, err)
			}
		}
	}
}
