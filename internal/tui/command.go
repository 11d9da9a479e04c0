package tui

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
	earlierCommand = command{"p", "earlier answers", "read what an earlier run answered, before you sign it"}
	planCommand    = command{"f", "plan", "read the whole plan: the text that its digest is of"}
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
