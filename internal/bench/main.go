// Command bench measures a whole rotation against the raw loops that bound it,
// all in one run on one machine, and writes docs/performance.md. It is run by
// make bench; nothing of the product uses it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

func main() {
	serveKeeper()
	out := flag.String("out", "docs/performance.md", "file to write")
	most := flag.Int("most", 1_000_000, "envelopes of the largest rotation")
	peers := flag.Bool("peers", false, "measure what others do for the same purpose, where they are installed")
	drawing := flag.Bool("drawing", false, "measure what the wizard costs, and nothing else")
	growth := flag.Bool("growth", false, "measure how a rotation grows with the store")
	slow := flag.Bool("slow", false, "measure the sweep on a slow token, and nothing else")
	flag.Parse()
	measure := func(ctx context.Context, l lab, w io.Writer) error { return l.report(ctx, w, *most) }
	switch {
	case *peers:
		measure = func(ctx context.Context, l lab, w io.Writer) error { return l.peers(ctx, w) }
	case *slow:
		measure = func(ctx context.Context, l lab, w io.Writer) error { return l.slow(ctx, w) }
	case *drawing:
		measure = func(ctx context.Context, l lab, w io.Writer) error { return l.drawing(ctx, w) }
	case *growth:
		measure = func(ctx context.Context, l lab, w io.Writer) error { return l.growth(ctx, w, *most) }
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, measure); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string, measure func(context.Context, lab, io.Writer) error) error {
	dir, err := os.MkdirTemp("", "kekceremony-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := newLab(ctx, dir)
	if err != nil {
		return err
	}
	var report strings.Builder
	if err := measure(ctx, l, &report); err != nil {
		return err
	}
	return os.WriteFile(out, []byte(report.String()), 0o644)
}
