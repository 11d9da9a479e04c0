package tui

import (
	"slices"

	tea "github.com/charmbracelet/bubbletea"
)

// command is what one letter does on many pages: with ctrl on each of them, and alone where no letter is
// typed into a field and the page has no key of its own with it. Never s, q, w, u or d, which consoles and
// shells own with ctrl.
type command struct{ letter, does, help string }

// All commands.
var (
	reportCommand  = command{"x", "deviation", "report what differs from the steps: it is recorded at once"}
	stepsCommand   = command{"t", "steps", "list the steps: done, now, to come"}
	roomCommand    = command{"r", "room", "list who is here, who must act, who signed what"}
	logCommand     = command{"o", "log", "read the log so far, newest first"}
	helpCommand    = command{"g", "help", "this page; ? too"}
	aloudCommand   = command{"y", "aloud", "read the digest aloud, in words, and compare it"}
	offlineCommand = command{"e", "offline", "write the person's statement, to sign it on another machine"}
	laterCommand   = command{"n", "end, sign later", "end this run, after a question; sign later"}
)

// ctrl is the name of the command's key that works on each page.
func (c command) ctrl() string { return "ctrl+" + c.letter }

// key is that key as a page lists it.
func (c command) key() key { return key{c.ctrl(), c.does, c.help} }

// alone is the letter as a page lists it where it works.
func (c command) alone() key { return key{c.letter, c.does, c.help} }

// both is the command as the help lists it.
func (c command) both() key { return key{c.ctrl() + " (" + c.letter + ")", c.does, c.help} }

// single reports whether the letter of a command works alone on the page.
func (m *model) single(c command) bool {
	return !m.typing() && !slices.ContainsFunc(m.own(), func(k key) bool { return k.name == c.letter && k != c.alone() })
}

// listed is the shortest key of a command on the page.
func (m *model) listed(c command) key {
	if m.single(c) {
		return c.alone()
	}
	return c.key()
}

// pressed reports whether a key is the command's.
func (m *model) pressed(c command, k tea.KeyMsg) bool {
	name := k.String()
	return name == c.ctrl() || name == c.letter && m.single(c)
}

// commands are those of every page.
func (m *model) commands() []command {
	all := []command{reportCommand, stepsCommand, roomCommand, logCommand}
	if m.view.Replay || m.reporting() || m.view.Step == finalStep || m.view.Ending != nil { // the log is closed
		return all[1:]
	}
	return all
}
