package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"

	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// profile runs the pipeline with a kind of provider in this process and returns where its time went, as
// go tool pprof tells it.
func (l lab) profile(ctx context.Context, kind string) (string, error) {
	parts, err := l.installed(ctx, kind, "profile-"+kind)
	if err != nil {
		return "", err
	}
	if err := write(ctx, parts, kind, 100_000); err != nil {
		return "", err
	}
	p, err := openedKind(ctx, parts, kind)
	if err != nil {
		return "", err
	}
	defer p.Close()
	db, err := sqlite.Open(ctx, parts.Store())
	if err != nil {
		return "", err
	}
	defer db.Close()
	var samples bytes.Buffer
	if err := pprof.StartCPUProfile(&samples); err != nil {
		return "", err
	}
	_, err = pipeline(ctx, db, p, func(rewrap.Progress) {})
	pprof.StopCPUProfile()
	if err != nil {
		return "", err
	}
	path := filepath.Join(l.dir, "cpu.pprof")
	if err := os.WriteFile(path, samples.Bytes(), 0o600); err != nil {
		return "", err
	}
	return top(ctx, path)
}

// top lists the functions of interest with all that they call.
func top(ctx context.Context, path string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-cum", "-nodecount=400", path).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pprof: %w\n%s", err, out)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		for _, name := range []string{
			"Duration:", "pkcs11._Cfunc_rewrap", "env.(*Provider).Rewrap", "rewrap.(*run).batch", "sqlite.(*Store).Swap",
			"sqlite.(*Store).Page", "sqlite.(*Store).Census", "runtime.gcBgMarkWorker",
		} {
			if strings.HasPrefix(line, name) {
				lines = append(lines, strings.TrimSpace(line))
			} else if len(f) == 6 && strings.HasSuffix(f[5], name) {
				lines = append(lines, fmt.Sprintf("%8s %7s  %s", f[3], f[4], name))
			}
		}
	}
	return strings.Join(lines, "\n"), nil
}
