package paired_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/paired"
)

// decide works in batches of 50 ms until the trial is decided; rate is that of the way that has the turn.
func decide(trial *paired.Trial, rate func(other bool) float64) (faster bool, took time.Duration) {
	const batch = 50 * time.Millisecond
	for took < time.Minute {
		trial.Observe(int(1000*rate(trial.New)), batch)
		took += batch
		if decided, faster := trial.Decided(); decided {
			return faster, took
		}
	}
	return false, took
}

// TestTrial: what takes turns is compared under the same circumstances, however those change.
func TestTrial(t *testing.T) {
	for name, c := range map[string]struct {
		other float64
		want  bool
		most  time.Duration // until it is decided
	}{
		"twice as fast":   {2, true, 500 * time.Millisecond},
		"half as fast":    {0.5, false, 500 * time.Millisecond},
		"a little faster": {1.15, true, 3 * time.Second},
		"the same":        {1, false, 3 * time.Second},
		"slower":          {0.9, false, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			slowdown := rand.New(rand.NewPCG(7, 7))
			machine, batches := 1.0, 0
			got, took := decide(&paired.Trial{}, func(other bool) float64 {
				if batches++; batches%37 == 0 {
					machine = 0.9 + 0.2*slowdown.Float64()
				}
				if other {
					return machine * c.other
				}
				return machine
			})
			if got != c.want || took > c.most {
				t.Errorf("%v after %s, want %v within %s", got, took, c.want, c.most)
			}
		})
	}
}

// TestFrom: the way that won need not be measured again before the first round.
func TestFrom(t *testing.T) {
	var trial paired.Trial
	rates := map[bool]float64{false: 1, true: 2}
	if faster, _ := decide(&trial, func(other bool) float64 { return rates[other] }); !faster {
		t.Fatal("two is faster than one")
	}
	next := paired.From(trial)
	rates = map[bool]float64{false: 2, true: 4}
	faster, took := decide(&next, func(other bool) float64 { return rates[other] })
	if !faster || took > 250*time.Millisecond {
		t.Errorf("%v after %s", faster, took)
	}
}

// TestLeft: of a turn that was begun, as many items are left as its rate gives in the rest of its time, or fewer where
// enough of them take less.
func TestLeft(t *testing.T) {
	for name, c := range map[string]struct {
		items int
		took  time.Duration
		want  int
	}{
		"a slow way":          {10, 100 * time.Millisecond, 3},
		"a fast way":          {32, 2 * time.Millisecond, 512 - 32},
		"a very fast way":     {32, 40 * time.Microsecond, 7968},
		"nothing done as yet": {0, 0, 0},
	} {
		var trial paired.Trial
		if c.items > 0 {
			trial.Observe(c.items, c.took)
		}
		if got := trial.Left(); got != c.want {
			t.Errorf("%s: %d items left, want %d", name, got, c.want)
		}
	}
}

// TestShort: where each item takes microseconds, a trial takes few of them, and is as right.
func TestShort(t *testing.T) {
	const turn, most = 512, 12_000 // items
	for name, c := range map[string]struct {
		other float64
		want  bool
	}{
		"twice as fast":   {2, true},
		"half as fast":    {0.5, false},
		"a little faster": {1.15, true},
		"the same":        {1, false},
		"slower":          {0.9, false},
	} {
		t.Run(name, func(t *testing.T) {
			var trial paired.Trial
			noise := rand.New(rand.NewPCG(7, 7))
			items, decided, faster := 0, false, false
			for !decided && items < 10*most {
				each := 60 * time.Microsecond
				if trial.New {
					each = time.Duration(float64(each) / c.other)
				}
				if noise.IntN(6) == 0 { // something else had the processor
					each *= 2
				}
				trial.Observe(turn, turn*each)
				items += turn
				decided, faster = trial.Decided()
			}
			if faster != c.want || items > most {
				t.Errorf("%v after %d items, want %v within %d", faster, items, c.want, most)
			}
		})
	}
}

// TestStall: where a turn takes some thirty milliseconds, what holds one up now and then does not look like a way that
// is slow, or fast.
func TestStall(t *testing.T) {
	const seeds = 1000
	for _, c := range []struct {
		other float64
		want  bool
	}{
		{1.9, true},
		{0.55, false},
	} {
		right := 0
		for seed := range uint64(seeds) {
			var trial paired.Trial
			stalls := rand.New(rand.NewPCG(seed, 5))
			decided, faster := false, false
			for !decided {
				took := 32 * time.Millisecond
				if trial.New {
					took = time.Duration(float64(took) / c.other)
				}
				if stalls.IntN(10) == 0 {
					took += 300 * time.Millisecond
				}
				trial.Observe(512, took)
				decided, faster = trial.Decided()
			}
			if faster == c.want {
				right++
			}
		}
		if share := float64(right) / seeds; share < 0.98 {
			t.Errorf("%.2f times as fast: right in %.3f of the trials", c.other, share)
		}
	}
}

// TestNoise: a small difference is found beside a noise as large, by as many rounds as that takes.
func TestNoise(t *testing.T) {
	const seeds = 400
	for _, c := range []struct {
		other float64
		want  bool
		least float64 // share of right answers
	}{
		{1.15, true, 0.93},
		{0.95, false, 0.82},
	} {
		right := 0
		for seed := range uint64(seeds) {
			noise := rand.New(rand.NewPCG(seed, 3))
			got, _ := decide(&paired.Trial{}, func(other bool) float64 {
				rate := 1 + 0.15*noise.NormFloat64()
				if other {
					return c.other * rate
				}
				return rate
			})
			if got == c.want {
				right++
			}
		}
		if share := float64(right) / seeds; share < c.least {
			t.Errorf("%.2f times as fast: right in %.2f of the trials, want %.2f", c.other, share, c.least)
		}
	}
}
