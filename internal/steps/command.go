package steps

import "github.com/certautopilot/kekceremony/internal/transcript"

// onVersion is the command of a ceremony on one version.
func onVersion(command string) func(Facts) string {
	return func(opened Facts) string {
		return "kekceremony " + command + " --version " + opened.Version(transcript.FactVersion).String()
	}
}

// rotateTo is the command that rotates to a version.
func rotateTo(v string) string { return "kekceremony rotate --to-version " + v }
