package line

// hold waits until somebody has read what was said.
type hold struct {
	says   string
	answer func()
}

func (h *hold) page() []string { return []string{h.says} }

func (h *hold) again() []string { return h.page() }

func (h *hold) words() []word { return nil }

func (h *hold) answers(string) bool { return false }

func (h *hold) take(line string) ([]string, bool) {
	if line != "" {
		return append([]string{"Refused: nothing is asked"}, h.page()...), false
	}
	h.answer()
	return nil, true
}

// continuing is said below the last page of a ceremony after which a rehearsal continues: the next one scrolls it away.
const continuing = "Press Enter when everybody has written the digest down: the rehearsal continues."
