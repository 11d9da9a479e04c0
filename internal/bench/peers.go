package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// peersOf is how many envelopes a rotation has beside its peers.
const peersOf = 200_000

// mongoKeys is how many data keys a peer and a rotation re-wrap on the server of KEKCEREMONY_TEST_MONGO_URI.
var mongoKeys = flag.Int("keys", 10_000, "data keys on a server, with -peers")

// peers writes how a rotation compares with what others do for the same purpose, where they are installed.
func (l lab) peers(ctx context.Context, w io.Writer) error {
	fmt.Fprintf(w, `# Beside its peers

`+"`make bench-peers`"+` writes this page, in one run on one machine. Only the ratios mean
anything on another machine. The peers are not part of this project: a section is of what
was installed.

%s`, machine())
	for _, part := range []func(context.Context, io.Writer) error{l.openBao, l.rewrapMany} {
		if err := part(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// openBao measures OpenBao's transit engine, alone and with the same store, between rotations.
func (l lab) openBao(ctx context.Context, w io.Writer) error {
	if _, err := exec.LookPath(bao()); err != nil {
		_, err := fmt.Fprint(w, "\n## OpenBao\n\nIt is not installed here: BAO names its program.\n")
		return err
	}
	t, err := startTransit(ctx, l.dir)
	if err != nil {
		return err
	}
	err = l.besideTransit(ctx, w, t)
	return errors.Join(err, t.stop())
}

func (l lab) besideTransit(ctx context.Context, w io.Writer, t *transit) error {
	keys := make([][]byte, peersOf)
	for i := range keys {
		keys[i] = make([]byte, 32)
		rand.Read(keys[i])
	}
	items, err := t.encrypted(ctx, keys)
	if err != nil {
		return err
	}
	r, err := l.rotating(ctx, "env", "transit", peersOf)
	if err != nil {
		return err
	}
	defer r.stop()
	fmt.Fprintf(w, `
## OpenBao

%s, with its storage in memory, without an audit device and without TLS, on the loopback
interface, and so faster than a server in use. Its transit engine rewraps %d data keys
of 32 bytes under AES-256-GCM, by `+"`transit/rewrap`"+`, for one client and for four at once. It has
no store: a program that uses it reads and writes the records. Beside it, in turn, a whole rotation of
as many envelopes with the provider env on SQLite: the time of its re-wrap step, in which each
envelope is read, checked, re-wrapped, opened again, compared and written durably. %d pairs
each; figures and ratios are medians.

| clients | batch | OpenBao, re-wraps/s | rotation, envelopes/s | ratio | target |
|---:|---:|---:|---:|---:|---|
`, t.version, peersOf, pairs)
	for _, s := range []struct{ clients, size int }{{1, 100}, {1, 1000}, {4, 100}, {4, 1000}} {
		v, err := r.beside(ctx, func() (float64, error) { return t.rewraps(ctx, items, s.clients, s.size) })
		if err != nil {
			return err
		}
		line := fmt.Sprintf("| %d | %d | %.0f | %.0f | %.2f | over 1.1: %s |\n", s.clients, s.size, v.peer, v.ours, v.ratio,
			met(v.ratio > 1.1))
		fmt.Fprint(os.Stderr, line)
		fmt.Fprint(w, line)
	}
	v, err := r.beside(ctx, func() (float64, error) { return t.withStore(ctx, r.parts.Store()) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `
With a copy of the same SQLite file: four clients rewrap batches of 1,000 while the next are
read, and each batch is written in a transaction as durable as ours, by record and version:
%.0f envelopes/s, and the rotation %.0f, %.2f times as many. Target: 1.5, %s.
`, v.peer, v.ours, v.ratio, met(v.ratio >= 1.5))
	return err
}

// versus are medians of pairs, per second, and the median of their ratios.
type versus struct{ peer, ours, ratio float64 }

// beside has the peer and a rotation take turns.
func (r *rotating) beside(ctx context.Context, peer func() (float64, error)) (versus, error) {
	var theirs, ours, ratios []float64
	for range pairs {
		rate, err := peer()
		if err != nil {
			return versus{}, err
		}
		took, err := r.once(ctx, r.lab.rotate, &rotated{})
		if err != nil {
			return versus{}, err
		}
		own := float64(r.n) / took.Seconds()
		theirs, ours, ratios = append(theirs, rate), append(ours, own), append(ratios, own/rate)
	}
	return versus{median(theirs), median(ours), median(ratios)}, nil
}
