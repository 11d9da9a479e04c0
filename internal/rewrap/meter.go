package rewrap

import (
	"cmp"
	"time"
)

// ETA is how long the rest will take. While it is not Known, Why is shown: when it will be, or
// why it is not.
type ETA struct {
	Known    bool
	Why      string
	From, To time.Duration // equal unless the rate is unsteady
}

// The rules of design section 3.
const (
	etaShare  = 0.005            // of the work must be done
	etaTime   = 10 * time.Second // of running must have passed
	etaSpread = 0.25             // short and long rate apart: a range
	window    = 10 * time.Second // of the short rate
)

type sample struct {
	at   time.Duration // of running
	done int
}

// meter measures rates over running time: pauses do not count.
type meter struct {
	ran     time.Duration
	done    int
	samples []sample // of the window, oldest first
}

func (m *meter) add(took time.Duration, done int) {
	m.ran += took
	m.done += done
	m.samples = append(m.samples, sample{m.ran, m.done})
	for len(m.samples) > 2 && m.samples[1].at < m.ran-window {
		m.samples = m.samples[1:]
	}
}

// rate is envelopes per second over the last window; 0 while too little has
// been seen.
func (m *meter) rate() float64 {
	if m.ran < time.Second {
		return 0
	}
	if len(m.samples) < 2 {
		return per(m.done, m.ran)
	}
	first := m.samples[0]
	return per(m.done-first.done, m.ran-first.at)
}

// recent is rate, or what there is of it before it means anything to people.
func (m *meter) recent() float64 { return cmp.Or(m.rate(), per(m.done, m.ran)) }

func per(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// eta is by what was measured, and by the limit where that is lower now; 0 is none.
func (m *meter) eta(left, total, limit int) ETA {
	long, short := per(m.done, m.ran), m.rate()
	switch {
	case m.ran < etaTime:
		return ETA{Why: "after the first 10 s"}
	case float64(m.done) < etaShare*float64(total):
		return ETA{Why: "after the first 0.5 %"}
	case short == 0 || long == 0:
		return ETA{Why: "unknown: no progress"}
	}
	fast, slow := max(long, short), min(long, short)
	if fast <= slow*(1+etaSpread) {
		fast, slow = short, short
	}
	if limit > 0 {
		fast, slow = min(fast, float64(limit)), min(slow, float64(limit))
	}
	return ETA{Known: true, From: seconds(float64(left) / fast), To: seconds(float64(left) / slow)}
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Second)
}
