package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// loop is what the raw loop is made of.
const loop = "internal/bench/testdata/loop.c -ldl -lpthread"

// lab is a directory with what is measured.
type lab struct {
	dir    string
	binary string // kekceremony
	loop   string // the raw loop in C
	proxy  string // the module that takes longer
}

// newLab builds in a directory what is measured.
func newLab(ctx context.Context, dir string) (lab, error) {
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
			return l, err
		}
	}
	return l, pkcs11test.Build(l.proxy)
}

func shell(ctx context.Context, line string) error {
	f := strings.Fields(line)
	if text, err := exec.CommandContext(ctx, f[0], f[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", line, err, text)
	}
	return nil
}
