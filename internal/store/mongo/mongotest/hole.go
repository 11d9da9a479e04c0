package mongotest

import "slices"

// hole is a network that lost its way back: nothing is answered, and no connection ends.
type hole struct {
	open  bool
	from  Meets // opens it
	tries int   // new connections, after which it ends by itself; 0: it does not
	left  int   // of those
}

// swallows reports whether a command is swallowed.
func (h *hole) swallows(name, collection string) bool {
	if h.open {
		if name == "handshake" && h.tries > 0 {
			h.left--
			h.open = h.left > 0
		}
		return true
	}
	if h.from != nil && slices.Contains(slices.Concat(writes, reads), name) && h.from(name, collection) {
		h.open, h.left = true, h.tries
	}
	return h.open
}
