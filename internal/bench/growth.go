package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// grown is what a store of n envelopes costs.
type grown struct {
	n             int
	census, shape time.Duration // one pass each over the whole store
	rate          float64       // envelopes/s of the re-wrap step
	whole         time.Duration // of the rotation, with what it waits for
	peak          int           // resident memory of the wizard and its keeper, in KiB
	size          int64         // of the file, in bytes
}

// growth writes how the cost of a rotation grows with the store, up to the most envelopes.
func (l lab) growth(ctx context.Context, w io.Writer, most int) error {
	fmt.Fprintf(w, `# How a rotation grows

`+"`make bench-growth`"+` writes this page, in one run on one machine, with the provider env on
SQLite: there the token bounds nothing, and what the tool itself costs shows most.

%s
Scan is the pass over every record and field of the store for envelopes that the catalogue
does not name; census is the count of envelopes by place and version. A rotation does the scan
twice, before people approve it and with the second of its last two counts, and the census
several times. The rate is that of its re-wrap step. The whole rotation
also waits, for processes of the fleet and between its last two censuses. Peak memory is that of
the process that reads and writes and of its keeper.

| envelopes | file | scan | census | re-wrapped | envelopes/s | whole rotation | peak memory |
|---:|---:|---:|---:|---:|---:|---:|---:|
`, machine())
	var first, last grown
	for n := 10_000; n <= most; n *= 10 {
		g, err := l.grow(ctx, n)
		if err != nil {
			return err
		}
		line := fmt.Sprintf("| %d | %.0f MiB | %.2f s | %.2f s | %.1f s | %.0f | %.1f s | %.1f MiB |\n", n,
			float64(g.size)/(1<<20), g.shape.Seconds(), g.census.Seconds(), float64(n)/g.rate, g.rate, g.whole.Seconds(),
			float64(g.peak)/1024)
		fmt.Fprint(os.Stderr, line)
		fmt.Fprint(w, line)
		if last = g; first.n == 0 {
			first = g
		}
	}
	token, err := l.rotation(ctx, "pkcs11", 100_000)
	if err != nil {
		return err
	}
	return law(w, first, last, token)
}

// law says what the table comes to, and what follows for a thousand million envelopes.
func law(w io.Writer, first, last grown, token rotated) error {
	each := func(took time.Duration) float64 { return float64(took.Nanoseconds()) / float64(last.n) }
	store := 1e9 / last.rate
	slope := (last.whole - first.whole).Seconds() / float64(last.n-first.n)
	other := 1e9*slope - store // of an envelope, in ns: what is not the re-wrap
	fmt.Fprintf(w, `
Each of these is one pass over the records, so time is a sum of parts that each grow with their
number: at the most envelopes %.0f ns of scan, %.0f ns of a census and %.0f ns of re-wrap for
each, and %.1f µs of the whole rotation. Peak memory at the most is %.2f times that at the fewest.

## A thousand million envelopes, on paper

Nobody has measured this. A rotation of n envelopes takes n × (o + max(s / k, 1 / (r × p))):

- o is what is not the re-wrap, scan and censuses: %.1f µs by the table. It falls with k as s does.
- s is the store's part of a re-wrap: %.1f µs by the table, where the provider takes part of that. k is the number of
  shards: records of a sharded collection are read and written by their shard.
- r is the rate of one process with the token, p what further processes and sessions gain. The probe of
  a ceremony says r, and the page of the re-wrap says p.

| token | r × p, re-wraps/s | 10⁹ envelopes on one shard |
|---|---:|---:|
`, each(last.shape), each(last.census), store, 1e6*slope, float64(last.peak)/float64(first.peak),
		other/1000, store/1000)
	for _, t := range []struct {
		name string
		rate float64
	}{
		{"none: env", last.rate},
		{"SoftHSM2, one process, the raw loop in this run", token.rawToken},
		{"SoftHSM2, a rotation in this run: " + token.workers, token.rate},
		{"a token of 1,000 re-wraps/s", 1000},
	} {
		took := other + max(store, 1e9/t.rate) // seconds, as many as nanoseconds for one
		fmt.Fprintf(w, "| %s | %.0f | %.1f h |\n", t.name, t.rate, took/3600)
	}
	_, err := fmt.Fprint(w, `
Nobody has to stay for all of it: a rotation that is stopped continues where it was,
every record opens at every moment, and new records are written under the new version at once.
What the tool keeps of its progress is one record's id for each collection. For MongoDB, peers.md
has a rate; for a token that takes 1 ms a call, performance.md.
`)
	return err
}

// grow measures one store, which is deleted afterwards.
func (l lab) grow(ctx context.Context, n int) (g grown, err error) {
	parts, err := l.installed(ctx, "env", fmt.Sprint("growth-", n))
	if err != nil {
		return g, err
	}
	defer os.RemoveAll(parts.Dir)
	if err := write(ctx, parts, "env", n); err != nil {
		return g, err
	}
	g = grown{n: n}
	if g.shape, g.census, err = passes(ctx, parts.Store()); err != nil {
		return g, err
	}
	stop, err := l.agent(ctx, parts)
	if err != nil {
		return g, err
	}
	var r rotated
	began := time.Now()
	took, err := l.rotate(ctx, parts, &r, 2)
	g.whole = time.Since(began)
	if err := errors.Join(err, stop()); err != nil {
		return g, err
	}
	g.rate, g.peak = float64(n)/took.Seconds(), r.withKeeper()
	info, err := os.Stat(parts.Store())
	if err == nil {
		g.size = info.Size()
	}
	return g, err
}

// passes times a scan and a census.
func passes(ctx context.Context, store string) (shape, census time.Duration, err error) {
	db, err := sqlite.Open(ctx, store)
	if err != nil {
		return 0, 0, err
	}
	defer db.Close()
	began := time.Now()
	if _, err := db.Strangers(ctx, envelope.DefaultCatalogue()); err != nil {
		return 0, 0, err
	}
	shape = time.Since(began)
	began = time.Now()
	_, err = db.Census(ctx, envelope.DefaultCatalogue())
	return shape, time.Since(began), err
}
