// Package background says that the terminal is dark before bubbletea's package
// init asks it, which would write escape bytes in every process that links it
// and wait up to five seconds for an answer. It must import lipgloss alone, and
// its path must sort before bubbletea's: independent packages are initialised
// in the order of their paths.
package background

import "github.com/charmbracelet/lipgloss"

func init() { lipgloss.SetHasDarkBackground(true) }
