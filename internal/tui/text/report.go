package text

// The parts of a deviation that people report, by name and as questions.
var (
	ReportNames     = [4]string{"expected", "seen", "decided", "by"}
	ReportQuestions = [4]string{"What did you expect?", "What did you see?", "What was decided?", "Who decided it?"}
)
