package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/mattn/go-sqlite3"
)

// report measures everything and writes the document.
func (l lab) report(ctx context.Context, w io.Writer, most int) error {
	fmt.Fprintf(w, `# Performance

`+"`make bench`"+` writes this page, in one run on one machine. Only the ratios
mean anything on another machine.

%s
## The rotation against the raw loops

An envelope is an encrypted field with its wrapped data key. (a) is a loop in C that
does what a re-wrap does, on the same SoftHSM2 token with two AES-256 token keys on one
session: unwrap, wrap with a random IV, unwrap again, compare. (b) is a loop that
updates the same columns of the same rows of the same SQLite file, a thousand per
transaction, as durably as the store does. (c) is the re-wrap step of a whole
`+"`kekceremony rotate --ui none`"+`, while one process of the fleet sends
heartbeats, its signs of life. The share is (c) divided by the slower of (a) and (b).
Peak memory is that of the process that reads and writes; its keeper, the child process
with the PKCS#11 module, has one page in memory at a time.

| envelopes | (a) re-wraps/s | (a) with an idle thread | (b) updates/s | (c) envelopes/s `+
		`| share | peak memory | sessions |
|---:|---:|---:|---:|---:|---:|---:|---|
`, machine())
	var all []rotated
	for n := 10_000; n <= most; n *= 10 {
		r, err := l.rotation(ctx, n)
		if err != nil {
			return err
		}
		all = append(all, r)
		line := fmt.Sprintf("| %d | %.0f | %.0f | %.0f | %.0f | %.2f | %.1f MiB | %s |\n",
			n, r.rawToken, r.rawIdle, r.rawStore, r.rate(), r.share(), float64(r.peak)/1024, r.workers)
		fmt.Fprint(os.Stderr, line)
		fmt.Fprint(w, line)
	}
	first, last := all[0], all[len(all)-1]
	fmt.Fprintf(w, `
Targets: a share of at least 0.85 at the most envelopes: %.2f, %s. Peak memory below
96 MiB: %s. Peak memory at the fewest and at the most envelopes differs by at most 10 %%:
%.1f %%, %s.

`, last.share(), met(last.share() >= 0.85), met(last.peak < 96<<10), 100*apart(first.peak, last.peak),
		met(apart(first.peak, last.peak) < 0.10))
	if err := l.bound(ctx, w, last); err != nil {
		return err
	}
	if err := l.isolation(ctx, w); err != nil {
		return err
	}
	if err := l.slow(ctx, w); err != nil {
		return err
	}
	return l.keyring(ctx, w)
}

// isolation reports what the process of its own costs.
func (l lab) isolation(ctx context.Context, w io.Writer) error {
	s, err := l.isolated(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, `## What the keeper costs

A provider in this process and one in a keeper re-wrap pages of 512 envelopes in turn, on
the same token, with one session each: %.0f/s and %.0f/s, a share of %.2f.
Target: at least 0.90, %s.

`, s.here, s.kept, s.kept/s.here, met(s.kept >= 0.9*s.here))
	return nil
}

// bound says what bounds the rotation.
func (l lab) bound(ctx context.Context, w io.Writer, last rotated) error {
	profile, err := l.profile(ctx)
	fmt.Fprintf(w, `## What bounds it

The token. The re-wrap stage waits for nothing: reading and writing run beside it, and
take a fraction of its time. This is the CPU time of the pipeline at 100,000 envelopes,
each function with all that it calls, by go tool pprof:

`+"```\n%s\n```"+`

SoftHSM2 opens, locks, reads and closes files of its token directory for every
operation, some 50 system calls per re-wrap. In a process with a second thread, even an
idle one, the C library and the kernel take locks for these calls that a single thread
does not need. The raw loop itself then reaches %.2f of its rate, and the rotation
reaches %.2f of that. The cause of the rest was not measured.

`, profile, last.rawIdle/last.rawToken, last.rate()/min(last.rawIdle, last.rawStore))
	return err
}

// slow reports the sweep.
func (l lab) slow(ctx context.Context, w io.Writer) error {
	all, err := l.sweep(ctx)
	if err != nil {
		return err
	}
	fmt.Fprint(w, `## A token that takes 1 ms a call

(d) is the pipeline through a module that makes every cipher call take 1 ms longer, on
each session independently: six calls per re-wrap.

| sessions | envelopes/s |
|---|---:|
`)
	best := 0.0
	for _, s := range all {
		name := fmt.Sprint(s.sessions)
		if s.sessions == 0 {
			name = "adaptive, with the time it took to find them: " + s.workers
		} else {
			best = max(best, s.rate)
		}
		fmt.Fprintf(w, "| %s | %.0f |\n", name, s.rate)
	}
	adaptive := all[len(all)-1].rate
	fmt.Fprintf(w, "\nTarget: at least 0.90 of the best fixed count: %.2f, %s.\n",
		adaptive/best, met(adaptive >= 0.9*best))
	return nil
}

func met(yes bool) string {
	if yes {
		return "met"
	}
	return "missed"
}

func apart(a, b int) float64 {
	return float64(max(a, b)-min(a, b)) / float64(min(a, b))
}

// machine lists the facts of the machine.
func machine() string {
	var b strings.Builder
	fact := func(name, value string) { fmt.Fprintf(&b, "- %s: %s\n", name, strings.TrimSpace(value)) }
	cpu, _ := os.ReadFile("/proc/cpuinfo") // without it the model stays empty
	for line := range strings.Lines(string(cpu)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			fact("processor", fmt.Sprintf("%s, %d of them", strings.TrimSpace(value), runtime.NumCPU()))
			break
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	fact("kernel", string(kernel))
	fact("Go", runtime.Version())
	softhsm, _ := exec.Command("softhsm2-util", "--version").Output()
	fact("SoftHSM2", string(softhsm))
	sqlite, _, _ := sqlite3.Version()
	fact("SQLite", sqlite)
	return b.String()
}
