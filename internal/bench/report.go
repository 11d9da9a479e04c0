package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/mattn/go-sqlite3"
	"golang.org/x/sys/unix"
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
session of one process: unwrap, wrap with a random IV, unwrap again, compare. (b) is a loop
that updates the same columns of the same rows of a copy of the same SQLite file, a thousand
per transaction, as durably as the store does. (c) is the re-wrap step of a whole
`+"`kekceremony rotate --ui none`"+`, while one process of the fleet sends heartbeats, its
signs of life. (a), (c) and (b) take turns, %d times; each figure is a median. The share is
that of the pairs: (c) divided by the slower of (a) and (b). Peak memory is that of the
process that reads and writes, and of the largest of its keepers, child processes with the
PKCS#11 module; with the provider env there is one, which has the keys alone. Busy is how many processors
were at work for the first and for its keepers, while a re-wrap of two seconds or more ran.

| provider | envelopes | (a) re-wraps/s | (a) with an idle thread | (b) updates/s | (c) envelopes/s `+
		`| share | peak memory | busy | sessions and processes |
|---|---:|---:|---:|---:|---:|---:|---|---|---|
`, machine(), pairs)
	last := map[string]rotated{}
	first := map[string]rotated{}
	for _, kind := range []string{"pkcs11", "env"} {
		for n := 10_000; n <= most; n *= 10 {
			r, err := l.rotation(ctx, kind, n)
			if err != nil {
				return err
			}
			if last[kind] = r; n == 10_000 {
				first[kind] = r
			}
			line := r.line()
			fmt.Fprint(os.Stderr, line)
			fmt.Fprint(w, line)
		}
	}
	token, env := last["pkcs11"], last["env"]
	fmt.Fprintf(w, `
Targets at the most envelopes: a share of at least 1.0 with pkcs11: %.2f, %s; of at least
0.7 with env: %.2f, %s. The wizard and one keeper together below 72 MiB: %.1f, %s. Their peak
at the fewest and at the most envelopes differs by at most 10 %%: %.1f %%, %s. A further keeper takes at
most 16 MiB: %.1f, %s, which it shares with no other process.

`, token.share, met(token.share >= 1), env.share, met(env.share >= 0.7),
		float64(token.withKeeper())/1024, met(token.withKeeper() < 72<<10),
		100*apart(first["pkcs11"].withKeeper(), token.withKeeper()),
		met(apart(first["pkcs11"].withKeeper(), token.withKeeper()) < 0.10),
		float64(token.own)/1024, met(token.own <= 16<<10))
	for _, part := range []func(context.Context, io.Writer) error{
		func(ctx context.Context, w io.Writer) error { return l.bound(ctx, w, token, env) },
		l.heartbeats, l.drawing, l.isolation, l.slow, l.keyring,
	} {
		if err := part(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// line is a rotation's in the table.
func (r rotated) line() string {
	rate := func(f float64) string {
		if f == 0 {
			return "none"
		}
		return fmt.Sprintf("%.0f", f)
	}
	peak := fmt.Sprintf("%.1f MiB + %.1f", float64(r.peak)/1024, float64(r.withKeeper()-r.peak)/1024)
	workers := r.workers
	if workers == "" {
		workers = "1"
	}
	busy := "too short"
	if r.main > 0 {
		busy = fmt.Sprintf("%.2f + %.2f", r.main, r.kept)
	}
	return fmt.Sprintf("| %s | %d | %s | %s | %s | %.0f | %.2f | %s | %s | %s |\n", r.provider, r.n, rate(r.rawToken),
		rate(r.rawIdle), rate(r.rawStore), r.rate, r.share, peak, busy, workers)
}

// withKeeper is the peak of the process and of one keeper, in KiB.
func (r rotated) withKeeper() int {
	if len(r.keepers) == 0 {
		return r.peak
	}
	return r.peak + slices.Max(r.keepers)
}

// isolation reports what the process of its own costs.
func (l lab) isolation(ctx context.Context, w io.Writer) error {
	s, err := l.isolated(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, `
## What the keeper costs

A provider in this process and one in a keeper re-wrap pages of 512 envelopes in turn, on
the same token, with one session each: %.0f/s and %.0f/s, a share of %.2f.
Target: at least 0.90, %s.

`, s.here, s.kept, s.kept/s.here, met(s.kept >= 0.9*s.here))
	return nil
}

// bound says what bounds the rotation.
func (l lab) bound(ctx context.Context, w io.Writer, token, env rotated) error {
	tokens, err := l.profile(ctx, "pkcs11")
	if err != nil {
		return err
	}
	envs, err := l.profile(ctx, "env")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `## What bounds it

With pkcs11, the token: of %.2f processors that were busy at the most envelopes, %.2f were so with the
token's processes. The re-wrap stage waits for nothing: reading and writing run beside
it, and take a fraction of its time. This is the CPU time of the pipeline at 100,000
envelopes in one process, each function with all that it calls, by go tool pprof:

`+"```\n%s\n```"+`

SoftHSM2 opens, locks, reads and closes files of its token directory for every
operation, some 50 system calls per re-wrap. In a process with a second thread, even an
idle one, the C library and the kernel take locks for these calls that a single thread
does not need. The raw loop itself then reaches %.2f of its rate. Two processes do more
than one, on two processors.

With env, the processors: %.2f of %d were busy at the most envelopes, %.2f of them with the keeper. The rest is the
store: what is read and written, with the checks of each record, and SQLite's
part of both. The raw loop does the writing alone, on one processor; a rotation also reads, and has each data key
unwrapped, wrapped, and unwrapped again in another process, on two processors for all of it.

`+"```\n%s\n```\n", token.main+token.kept, token.kept, tokens, token.rawIdle/token.rawToken,
		env.main+env.kept, runtime.NumCPU(), env.kept, envs)
	return err
}

// slow reports the sweep.
func (l lab) slow(ctx context.Context, w io.Writer) error {
	two, messages, err := l.sweeps(ctx)
	if err != nil {
		return err
	}
	fmt.Fprint(w, `## A token that takes 1 ms a call

(d) is the pipeline through a module that makes every cipher call take 1 ms longer, on
each session independently: six calls per re-wrap, or three by the messages of PKCS#11 3.0.
These are the module's own: it does each by two calls of SoftHSM2, which has none, and
takes 1 ms for both. The forms take turns; the median of three counts.

| sessions | envelopes/s by two calls | by messages | ratio |
|---|---:|---:|---:|
`)
	line := func(name string, two, messages float64) {
		fmt.Fprintf(w, "| %s | %.0f | %.0f | %.2f |\n", name, two, messages, messages/two)
	}
	for i, m := range two.fixed {
		line(fmt.Sprint(m.sessions), m.rate, messages.fixed[i].rate)
	}
	line("the best of these, again, in turn with", two.best, messages.best)
	line(fmt.Sprintf("adaptive, with the time it took to find them: %s; %s", two.adapted.workers,
		messages.adapted.workers), two.adapted.rate, messages.adapted.rate)
	_, err = fmt.Fprintf(w, `
What is adaptive re-wraps for %s, %d times; the best number does for %s before and after each.
The share is that of a turn by the mean of these two: the median, and from where to where they reach.
Target: at least 0.95: %s; by messages %s.
`, adaptiveTime, adaptiveRounds, besideTime, two.against(0.95), messages.against(0.95))
	return err
}

// against says whether what is adaptive reaches a share of the best.
func (s sweep) against(target float64) string {
	n := len(s.shares)
	return fmt.Sprintf("%.2f (%.2f to %.2f), %s", s.shares[n/2], s.shares[0], s.shares[n-1], met(s.shares[n/2] >= target))
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
	var files unix.Statfs_t
	if unix.Statfs(os.TempDir(), &files) == nil && files.Type == unix.TMPFS_MAGIC {
		fact("files", "in memory (tmpfs), `TMPDIR`")
	}
	return b.String()
}
