// Command bench measures a whole rotation against the raw loops that bound it,
// all in one run on one machine, and writes docs/performance.md. It is run by
// make bench; nothing of the product uses it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

func main() {
	serveKeeper()
	out := flag.String("out", "docs/performance.md", "file to write")
	most := flag.Int("most", 1_000_000, "envelopes of the largest rotation")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, *most); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// loop is what the raw loop is made of.
const loop = "internal/bench/testdata/loop.c -ldl -lpthread"

// lab is a directory with what is measured.
type lab struct {
	dir    string
	binary string // kekceremony
	loop   string // the raw loop in C
	proxy  string // the module that takes longer
}

func run(ctx context.Context, out string, most int) error {
	dir, err := os.MkdirTemp("", "kekceremony-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l := lab{
		dir:    dir,
		binary: filepath.Join(dir, "kekceremony"),
		loop:   filepath.Join(dir, "loop"),
		proxy:  filepath.Join(dir, "proxy.so"),
	}
	for _, line := range []string{
		"go build -o " + l.binary + " ./cmd/kekceremony",
		"gcc -O2 -o " + l.loop + " " + loop,
	} {
		if err := shell(ctx, line); err != nil {
			return err
		}
	}
	if err := pkcs11test.Build(l.proxy); err != nil {
		return err
	}
	var report strings.Builder
	if err := l.report(ctx, &report, most); err != nil {
		return err
	}
	return os.WriteFile(out, []byte(report.String()), 0o644)
}

func shell(ctx context.Context, line string) error {
	f := strings.Fields(line)
	if text, err := exec.CommandContext(ctx, f[0], f[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", line, err, text)
	}
	return nil
}
