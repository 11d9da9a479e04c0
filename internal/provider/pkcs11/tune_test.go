package pkcs11

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// token is a token whose rate follows from the number of sessions.
type token struct {
	t    *tuner
	now  time.Time
	rate func(sessions int) float64
	wait time.Duration // at the end of a batch, for each session
}

func newToken(fixed, most int, rate func(int) float64) *token {
	k := &token{rate: rate, now: time.Unix(0, 0)}
	k.t = newTuner(fixed, most, func() time.Time { return k.now })
	return k
}

// run re-wraps batches of 1000 for some time and returns the rate of the whole.
func (k *token) run(d time.Duration) float64 {
	done, ends := 0, k.now.Add(d)
	for k.now.Before(ends) {
		done += k.batch(1000)
	}
	return float64(done) / d.Seconds()
}

// batch re-wraps as many of so many as are done at once.
func (k *token) batch(most int) int {
	n, sessions := k.t.piece(most), k.t.sessions()
	took := time.Duration(float64(n)/k.rate(sessions)*float64(time.Second)) + k.wait*time.Duration(sessions)
	k.now = k.now.Add(took)
	k.t.observe(n, took)
	return n
}

// TestTunerSoon: on a token that takes microseconds, and is fastest with one session, few envelopes pass before
// that is found.
func TestTunerSoon(t *testing.T) {
	k := newToken(0, 64, func(n int) float64 { return 16_000 / float64(n) })
	done := 0
	for k.t.String() != "1, "+fastest && done < 100_000 {
		done += k.batch(2048)
	}
	if done > 3500 {
		t.Errorf("%d envelopes; now %s", done, k.t)
	}
}

// TestTunerSteady: while somebody else tries something, the number of sessions stays, and what is measured then
// is not taken for a trial.
func TestTunerSteady(t *testing.T) {
	k := newToken(0, 64, func(n int) float64 { return 200 * float64(n) })
	k.t.steady(true)
	k.run(time.Minute)
	if got := k.t.sessions(); got != 1 {
		t.Errorf("%d sessions", got)
	}
	k.t.steady(false)
	if k.run(time.Minute); k.t.sessions() != 64 {
		t.Errorf("afterwards %s", k.t)
	}
}

// TestTunerSteadyInATrial: a trial of sessions that one of processes interrupted starts over after it, since the
// token's rate may have changed by then.
func TestTunerSteadyInATrial(t *testing.T) {
	alone := 200.0
	k := newToken(0, 64, func(n int) float64 { return alone * float64(n) })
	k.batch(1000) // one session has had its turn
	k.t.steady(true)
	alone = 50
	k.run(time.Minute)
	k.t.steady(false)
	if k.run(5 * time.Second); k.t.best == 1 {
		t.Errorf("it stayed at %s", k.t)
	}
}

func TestTuner(t *testing.T) {
	for name, c := range map[string]struct {
		fixed, most int
		rate        func(int) float64
		want        int
	}{
		"fastest alone":          {0, 64, func(n int) float64 { return 30_000 / (1 + 0.3*float64(n-1)) }, 1},
		"grows to what it takes": {0, 64, func(n int) float64 { return 200 * float64(min(n, 32)) }, 32},
		"never levels off":       {0, 64, func(n int) float64 { return 200 * float64(n) }, 64},
		"few sessions":           {0, 3, func(n int) float64 { return 200 * float64(n) }, 3},
		"no power of two":        {0, 15, func(n int) float64 { return 200 * float64(n) }, 15},
		"as configured":          {5, 64, func(n int) float64 { return 200 * float64(n) }, 5},
		"more than it has":       {50, 4, func(n int) float64 { return 200 * float64(n) }, 4},
	} {
		t.Run(name, func(t *testing.T) {
			k := newToken(c.fixed, c.most, c.rate)
			k.run(30 * time.Second)
			if got := k.run(5 * time.Minute); got < 0.9*c.rate(c.want) {
				t.Errorf("%.0f/s, with %d sessions %.0f/s; now %s", got, c.want, c.rate(c.want), k.t)
			}
		})
	}
}

// TestTunerAnyToken: on tokens that take any number of sessions at once, and get slower by any more or do not, the
// number that is found is about the best of all, and nearly so on the worst of them.
func TestTunerAnyToken(t *testing.T) {
	const seeds = 300
	sum := 0.0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 2))
		most := []int{3, 5, 10, 15, 48, 64}[r.IntN(6)]
		takes, noise := 1+r.IntN(70), 0.1*r.Float64()
		alone, slower := math.Exp(4+5*r.Float64()), 0.6+0.4*r.Float64()
		rate := func(n int) float64 {
			beyond := max(0, math.Log2(float64(n)/float64(takes)))
			return alone * float64(min(n, takes)) * math.Pow(slower, beyond)
		}
		k := newToken(0, most, func(n int) float64 { return rate(n) * math.Exp(noise*r.NormFloat64()) })
		k.run(time.Minute)
		share := k.run(5*time.Minute) / rate(min(takes, most))
		if sum += share; share < 0.65 {
			t.Errorf("seed %d: %.2f with %d sessions, of at most %d; it takes %d", seed, share, k.t.best, most, takes)
		}
	}
	if mean := sum / seeds; mean < 0.95 {
		t.Errorf("%.3f of the best", mean)
	}
}

// TestTunerUnderNoise: on a machine that others use by and by, a token that is fastest with one session loses
// little by what is tried. The rate is measured by that of one session at the same time.
func TestTunerUnderNoise(t *testing.T) {
	const seeds = 50
	sum := 0.0
	for seed := range uint64(seeds) {
		noise := rand.New(rand.NewPCG(seed, 1))
		var k *token
		var until time.Time
		others, done, best := 1.0, 0.0, 0.0
		k = newToken(0, 64, func(n int) float64 {
			if k.now.After(until) {
				others = 0.4 + 0.6*noise.Float64()
				until = k.now.Add(time.Duration(float64(2*time.Second) * noise.Float64()))
			}
			rate := math.Pow(0.9, math.Log2(float64(n)))
			done, best = done+1, best+1/rate
			return 16_000 * others * rate
		})
		k.run(2 * time.Minute)
		sum += done / best
	}
	if share := sum / seeds; share < 0.996 {
		t.Errorf("%.4f of what it reaches alone", share)
	}
}

// TestTunerWaits: the more sessions there are, the longer the end of a batch, where some of them wait for others. What
// is measured in a trial is what pages of the size in use will give.
func TestTunerWaits(t *testing.T) {
	rates := map[int]float64{1: 300, 2: 600, 4: 1200, 8: 2400, 16: 4800, 32: 8000, 64: 9800}
	k := newToken(0, 64, func(n int) float64 { return rates[n] })
	k.wait = 300 * time.Microsecond
	k.run(time.Minute)
	if n := k.t.sessions(); n != 64 {
		t.Errorf("it stayed at %s", k.t)
	}
}

// TestTunerClimbs: on a token of a millisecond a call, the way to its number of sessions costs little of the first
// minute, as slow as it is with the first few.
func TestTunerClimbs(t *testing.T) {
	rates := map[int]float64{1: 285, 2: 557, 4: 1080, 8: 2043, 16: 3889, 32: 7470, 64: 8500}
	k := newToken(0, 64, func(n int) float64 { return rates[n] })
	if share := k.run(time.Minute) / rates[64]; share < 0.975 {
		t.Errorf("%.3f of what 64 sessions reach; now %s", share, k.t)
	}
}

// TestTunerFollows: a token that gets slower or faster is followed.
func TestTunerFollows(t *testing.T) {
	most := 4
	k := newToken(0, 64, func(n int) float64 { return 200 * float64(min(n, most)) })
	k.run(time.Minute)
	most = 32
	k.run(5 * time.Minute)
	if n := k.t.sessions(); n < 16 {
		t.Errorf("it stayed at %s", k.t)
	}
}

// TestTunerLooksAgain: where the double gained nothing when the climb got there, because the machine was busy just
// then, it is tried again before the half.
func TestTunerLooksAgain(t *testing.T) {
	most := 32
	k := newToken(0, 64, func(n int) float64 { return 200 * float64(min(n, most)) })
	k.run(10 * time.Second)
	most = 64
	k.run(20 * time.Second)
	if n := k.t.sessions(); n != 64 {
		t.Errorf("it stayed at %s", k.t)
	}
}

// TestTunerLooksAgainLater: where a token takes more sessions after it was the same for long, it is a new one, and what
// it takes soon after that is found soon.
func TestTunerLooksAgainLater(t *testing.T) {
	most := 4
	k := newToken(0, 64, func(n int) float64 { return 200 * float64(min(n, most)) })
	k.run(30 * time.Minute)
	most = 16
	for k.t.best < most || k.t.other > 0 {
		k.batch(1000)
	}
	most = 64
	k.run(20 * time.Second)
	if n := k.t.sessions(); n != 64 {
		t.Errorf("it stayed at %s", k.t)
	}
}

// TestTunerFallsSoon: a token that takes fewer sessions than before is given half as many again and again, without
// another look at the double each time, which just lost.
func TestTunerFallsSoon(t *testing.T) {
	most := 64
	k := newToken(0, 64, func(n int) float64 { return 3200 * float64(min(n, most)) / float64(max(1, n/most)) })
	k.run(time.Minute)
	most = 4
	k.run(50 * time.Second)
	if n := k.t.sessions(); n != 4 {
		t.Errorf("it stayed at %s", k.t)
	}
}

// TestTunerLimit: a token that has fewer sessions than it said, which shows in the middle of a climb, is given all that
// it has, and no more.
func TestTunerLimit(t *testing.T) {
	for _, most := range []int{12, 8, 1} {
		k := newToken(0, 64, func(n int) float64 { return 200 * float64(n) })
		for k.t.sessions() != 16 {
			k.batch(1000)
		}
		k.t.limit(most)
		for range 1000 {
			if k.batch(1000); k.t.sessions() > most {
				t.Fatalf("of %d sessions: %s", most, k.t)
			}
		}
		if k.t.best != most {
			t.Errorf("of %d sessions: %s", most, k.t)
		}
	}
}

func TestTunerBusy(t *testing.T) {
	k := newToken(0, 64, func(n int) float64 { return 200 * float64(n) })
	k.run(time.Minute)
	n := k.t.sessions()
	for range 100 { // a whole batch says it
		k.t.busy()
	}
	if got := k.t.sessions(); got != n/2 || !strings.Contains(k.t.String(), "busy") {
		t.Errorf("of %d sessions: %s", n, k.t)
	}
}

// TestTunerBusyOnce: a token that was busy for a moment, after it was the same for long, has its sessions again soon.
func TestTunerBusyOnce(t *testing.T) {
	k := newToken(0, 64, func(n int) float64 { return 200 * float64(n) })
	k.run(30 * time.Minute)
	for range 2 {
		k.t.busy()
		k.batch(1000)
	}
	if k.run(20 * time.Second); k.t.sessions() != 64 {
		t.Errorf("it stayed at %s", k.t)
	}
}

// TestTunerBusyOften: a token that is busy now and then with more than so many sessions is asked for more seldom, and
// does no less for that.
func TestTunerBusyOften(t *testing.T) {
	const takes, alone = 8, 200.
	busy := rand.New(rand.NewPCG(1, 1))
	k := newToken(0, 64, func(n int) float64 { return alone * float64(n) })
	times, done := 0, 0
	for k.now.Before(time.Unix(3600, 0)) {
		if k.t.sessions() > takes && busy.IntN(10) < 3 {
			k.t.busy()
			times++
			k.now = k.now.Add(100 * time.Millisecond)
		}
		done += k.batch(400)
	}
	if rate := float64(done) / 3600; times > 60 || rate < 0.98*takes*alone {
		t.Errorf("busy %d times in an hour, %.0f/s; now %s", times, rate, k.t)
	}
}
