package room

import "github.com/certautopilot/kekceremony/internal/engine"

// report is a deviation that people report, and the way what became of it comes back.
type report struct {
	engine.Report
	reply chan error
}

// Report has the engine record a deviation, whatever it does and asks. It does not block: the
// channel says what became of it.
func (r *Room) Report(d engine.Report) <-chan error {
	reply := make(chan error, 1)
	r.mu.Lock()
	ended := r.ended
	if !ended {
		r.reports = append(r.reports, report{d, reply})
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

// Reports implements engine.Room.
func (r *Room) Reports(take func(engine.Report) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.take = take
}

// hear gives the engine what was reported. Only the engine's goroutine calls it.
func (r *Room) hear() {
	for {
		r.mu.Lock()
		if len(r.reports) == 0 {
			r.mu.Unlock()
			return
		}
		next, take := r.reports[0], r.take
		r.reports = r.reports[1:]
		r.mu.Unlock()
		if take == nil {
			next.reply <- engine.ErrLate
			continue
		}
		next.reply <- take(next.Report)
	}
}
