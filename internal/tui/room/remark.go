package room

import "github.com/certautopilot/kekceremony/internal/engine"

// remark is what people say, and the way what became of it comes back.
type remark struct {
	said  engine.Remark
	reply chan error
}

// Remark has the engine record what people say, whatever it does and asks. It does not block: the
// channel says what became of it.
func (r *Room) Remark(said engine.Remark) <-chan error {
	reply := make(chan error, 1)
	r.mu.Lock()
	ended := r.ended
	if !ended {
		r.remarks = append(r.remarks, remark{said, reply})
	}
	r.mu.Unlock()
	if ended {
		reply <- engine.ErrLate
		return reply
	}
	select {
	case r.knock <- struct{}{}:
	default: // it hears already
	}
	return reply
}

// Remarks implements engine.Room.
func (r *Room) Remarks(take func(engine.Remark) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.take = take
}

// hear gives the engine what was said. Only the engine's goroutine calls it.
func (r *Room) hear() {
	for {
		r.mu.Lock()
		if len(r.remarks) == 0 {
			r.mu.Unlock()
			return
		}
		next, take := r.remarks[0], r.take
		r.remarks = r.remarks[1:]
		r.mu.Unlock()
		if take == nil {
			next.reply <- engine.ErrLate
			continue
		}
		next.reply <- take(next.said)
	}
}
