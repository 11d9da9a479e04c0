package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// pairs is how often a line measures both of what it compares, in turn. Its figures are medians.
const pairs = 3

// rotated are whole rotations of one store, run by the real program with real parts, each between the raw loops
// on the same token and the same file.
type rotated struct {
	n        int
	provider string
	rate     float64 // envelopes/s of the re-wrap step
	rawToken float64 // re-wraps/s of the raw loop on the same token; 0: there is no token
	rawIdle  float64 // the same in a process with a second, idle thread
	rawStore float64 // updates/s of the raw loop on the same file
	share    float64 // of the rate by the slower raw loop's
	peak     int     // resident memory of the process, in KiB
	keepers  []int   // that of each keeper
	own      int     // the most that a keeper shares with nobody
	main     float64 // processors that were busy with the process while it re-wrapped
	kept     float64 // and with its keepers
	usage    *usage
	workers  string
}

// rotation installs, writes n records, and rotates with one process of a fleet.
func (l lab) rotation(ctx context.Context, provider string, n int) (rotated, error) {
	r := rotated{n: n, provider: provider}
	parts, err := l.installed(ctx, provider, fmt.Sprint(provider, "-", n))
	if err != nil {
		return r, err
	}
	if err := write(ctx, parts, provider, n); err != nil {
		return r, err
	}
	stop, err := l.agent(ctx, parts)
	if err != nil {
		return r, err
	}
	var all [pairs]rotated
	for i := range all {
		if all[i], err = l.pair(ctx, parts, r, 2+i); err != nil {
			return r, errors.Join(err, stop())
		}
	}
	over := func(figure func(rotated) float64) float64 {
		var each []float64
		for _, one := range all {
			each = append(each, figure(one))
		}
		return median(each)
	}
	r.rate, r.share = over(func(o rotated) float64 { return o.rate }), over(func(o rotated) float64 { return o.share })
	r.rawToken = over(func(o rotated) float64 { return o.rawToken })
	r.rawIdle = over(func(o rotated) float64 { return o.rawIdle })
	r.rawStore = over(func(o rotated) float64 { return o.rawStore })
	r.main, r.kept = over(func(o rotated) float64 { return o.main }), over(func(o rotated) float64 { return o.kept })
	for _, one := range all {
		r.peak, r.workers, r.keepers = max(r.peak, one.peak), one.workers, larger(r.keepers, one.keepers)
		r.own = max(r.own, one.own)
	}
	return r, stop()
}

// pair rotates to a version and runs the raw loops.
func (l lab) pair(ctx context.Context, parts rehearsal.Parts, r rotated, to int) (rotated, error) {
	var err error
	if r.provider == "pkcs11" {
		if r.rawToken, err = l.rawLoop(ctx, r.n); err != nil {
			return r, err
		}
		if r.rawIdle, err = l.rawLoop(ctx, r.n, "idle"); err != nil {
			return r, err
		}
	}
	took, err := l.rotate(ctx, parts, &r, to)
	if err != nil {
		return r, err
	}
	r.rate = float64(r.n) / took.Seconds()
	if r.rawStore, err = rawUpdates(ctx, parts.Store(), r.n, to); err != nil {
		return r, err
	}
	r.share = r.rate / r.rawStore
	if r.rawToken > 0 {
		r.share = r.rate / min(r.rawToken, r.rawStore)
	}
	return r, nil
}

// agent is the one process of the fleet; the function ends it.
func (l lab) agent(ctx context.Context, parts rehearsal.Parts) (func() error, error) {
	agent := exec.CommandContext(ctx, l.binary, "agent", "--role", rehearsal.Role, "--config", parts.Config())
	if err := agent.Start(); err != nil {
		return nil, err
	}
	return func() error {
		_ = agent.Process.Signal(os.Interrupt)
		return agent.Wait()
	}, nil
}

// rawLoop runs the loop in C on the token in use and returns re-wraps per second;
// beside is "idle" for a process with a second thread that does nothing.
func (l lab) rawLoop(ctx context.Context, n int, beside ...string) (float64, error) {
	rounds := min(n, 100_000)
	module, err := rehearsal.Module()
	if err != nil {
		return 0, err
	}
	args := append([]string{module, rehearsal.TokenLabel, rehearsal.PIN, strconv.Itoa(rounds)}, beside...)
	out, err := exec.CommandContext(ctx, l.loop, args...).Output()
	if err != nil {
		return 0, fmt.Errorf("raw loop: %w", err)
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return float64(rounds) / seconds, err
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// larger are the larger ones of two lists, by place.
func larger(a, b []int) []int {
	for i, n := range b {
		if i == len(a) {
			a = append(a, 0)
		}
		a[i] = max(a[i], n)
	}
	return a
}
