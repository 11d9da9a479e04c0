package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// life is the ceremonies of a key's whole life, in order: a rehearsal runs them on version 1.
var life = []string{"install", "rotate", "disable", "destroy"}

// lives reports whether a ceremony is part of this rehearsal.
func (r *rehearsed) lives(kind string) bool { return slices.Contains(r.only, kind) }

// following says what comes after a ceremony of this rehearsal; empty: nothing.
func (r *rehearsed) following(kind string) string {
	if i := slices.Index(r.only, kind); i+1 < len(r.only) {
		return "Next in this rehearsal: " + r.only[i+1] + "."
	}
	return ""
}

// live runs what comes after the install.
func (r *rehearsed) live(ctx context.Context) error {
	for i, kind := range r.only[1:] {
		if r.finished(i + 2) {
			continue
		}
		args := map[string][]string{
			"rotate":  {"--to-version", "2", "--rate", strconv.Itoa(r.rate)},
			"disable": {"--version", "1"},
			"destroy": {"--version", "1"},
		}[kind]
		if kind == "destroy" {
			if err := r.awaitDestruction(ctx); err != nil {
				return err
			}
		}
		args = append(append([]string{kind}, args...), "--answers", r.parts.Answers(kind))
		if err := r.child(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// awaitDestruction waits until the waiting period is over, which is seconds in a rehearsal.
func (r *rehearsed) awaitDestruction(ctx context.Context) error {
	fmt.Fprintf(os.Stderr, "kekceremony: rehearse: a version stays disabled for %s here, and for 30 days or more in "+
		"production\n", rehearsal.DestroyWait)
	timer := time.NewTimer(rehearsal.DestroyWait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

var errKeyLeft = errors.New("the destroyed key is still there, or the other one is not")

// gone proves with a tool that is not ours that the key of version 1 is gone, and that of version 2 is not.
func (r *rehearsed) gone(ctx context.Context, chain kek.Chain) error {
	old, now := kek.NameOf(chain, 1).Label, kek.NameOf(chain, 2).Label
	tool, listed := "pkcs11-tool", ""
	if r.provider == env.Name {
		text, err := file.Read(filepath.Join(r.dir, "secrets.env"), file.Rules{Max: 64 << 10})
		if err != nil {
			return err
		}
		tool, old, now, listed = "the secrets file", env.Variable(1)+"=", env.Variable(2)+"=", string(text)
	} else {
		if _, err := exec.LookPath(tool); err != nil {
			fmt.Fprintln(os.Stderr, "kekceremony: rehearse: pkcs11-tool is not installed: it did not look for the key")
			return nil
		}
		module, err := rehearsal.Module()
		if err != nil {
			return err
		}
		out, err := exec.CommandContext(ctx, tool, "--module", module, "--token-label", rehearsal.TokenLabel, "--login",
			"--pin", rehearsal.PIN, "--list-objects").Output()
		if err != nil {
			return fmt.Errorf("%s: %w", tool, err)
		}
		listed = string(out)
	}
	if strings.Contains(listed, old) || !strings.Contains(listed, now) {
		return fmt.Errorf("%s: %w", tool, errKeyLeft)
	}
	fmt.Printf("%s lists %s, and no %s\n", tool, strings.TrimSuffix(now, "="), strings.TrimSuffix(old, "="))
	return nil
}
