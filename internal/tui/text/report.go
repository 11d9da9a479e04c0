package text

import "fmt"

// The parts of a deviation that people report, by name and as questions.
var (
	ReportNames     = [4]string{"expected", "seen", "decided", "by"}
	ReportQuestions = [4]string{"What did you expect?", "What did you see?", "What was decided?", "Who decided it?"}
)

// Reported says that a deviation is in the log, and how many are.
func Reported(n int) string {
	if n == 1 {
		return "Recorded. 1 deviation so far."
	}
	return fmt.Sprintf("Recorded. %d deviations so far.", n)
}
