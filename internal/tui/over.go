package tui

// over is what covers a page. No key answers a question that is covered.
type over int

const (
	overNothing over = iota
	overHelp
	overLog
	overSteps
	overRoom
	overEarlier
	overPlan
)
