package mongotest

import "slices"

// hole is a network that lost its way back: nothing is answered, and no connection ends.
type hole struct {
	open  bool
	from  Meets // opens it
	tries int   // new connections, after which it ends by itself; 0: it does not
	left  int   // of those
}

// Hole has everything swallowed.
func (p *Proxy) Hole(yes bool) { p.set(func() { p.hole = hole{open: yes} }) }

// HoleFrom has everything swallowed from each command on that meets it, until a client has tried so many new
// connections; 0: until Hole ends it.
func (p *Proxy) HoleFrom(from Meets, tries int) {
	p.set(func() { p.hole = hole{from: from, tries: tries} })
}

// swallows reports whether a command is swallowed.
func (p *Proxy) swallows(name, collection string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := &p.hole
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
