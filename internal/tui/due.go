package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// toAct says who must act, and how much that stands out: what is truly open, not what the page below asks.
func (m *model) toAct() (lipgloss.Style, string) {
	switch {
	case m.lent != nil:
		return accent, "answer the prompt below"
	case m.stopping != nil:
		return accent, "say whether to stop"
	case m.stopped:
		return past, "nobody: the program stops"
	case m.report != nil && m.report.sent:
		return past, "nobody: the program records the deviation"
	case m.report != nil:
		return accent, "report the deviation: " + text.ReportQuestions[m.report.at]
	case m.steering != nil && m.view.Progress != nil:
		return accent, "say who asks, in the line of keys"
	case m.lends != nil:
		return accent, "pause for a moment: a prompt comes"
	case m.ask != nil && !m.view.Replay:
		return accent, m.due()
	case m.view.Waiting != "":
		return pending, "the program waits: " + m.view.Waiting
	}
	return past, "nobody: the program works"
}

// due is what waits for a person, in a few words. While somebody says that a digest does not match, it
// is that: no word for it is taken.
func (m *model) due() string {
	switch names := m.disputing(); {
	case m.reading:
		return m.read.due()
	case len(names) > 0:
		return text.Compare(names)
	}
	return m.ask.due()
}

// disputing are those who say that the digest of the page does not match.
func (m *model) disputing() []string {
	if a := aloudOf(m.view, m.ask); a == nil || m.read == nil || m.read.digest != a.digest {
		return nil
	}
	return m.read.disputing()
}

// disputed says on the page what follows from that.
func (m *model) disputed() []string {
	names := m.disputing()
	if len(names) == 0 {
		return nil
	}
	key, _, _ := strings.Cut(m.listed(aloudCommand).short(), " ")
	return para(alarm, " ", fmt.Sprintf("It does not match for %s. Nobody signs it before %s compares it again.",
		strings.Join(names, " and "), key), m.box.page()-1)
}
