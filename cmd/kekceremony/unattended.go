package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// unattended runs a ceremony with no people at the console. What it reports goes to standard
// error; the last page's lines end standard output, once the ceremony is finished.
func unattended(ctx context.Context, s engine.Parts, c ceremony, answers map[string]string) error {
	room := &emptyRoom{Unattended: &engine.Unattended{
		Answers: answers, Signs: s.Mode == quorum.Rehearsal,
		Report: func(line string) { fmt.Fprintf(os.Stderr, "kekceremony: %s: %s\n", c.kind, line) },
	}}
	if err := c.run(ctx, s, room); err != nil {
		return err
	}
	if _, err := fmt.Println(strings.Join(room.last, "\n")); err != nil {
		return fmt.Errorf("%s is finished; print its final digest: %w", c.kind, err)
	}
	return nil
}

// emptyRoom keeps the lines of the last page.
type emptyRoom struct {
	*engine.Unattended
	last []string
}

// Show implements engine.Room.
func (r *emptyRoom) Show(v engine.View) {
	if v.Ending != nil {
		r.last = v.Ending.Lines()
	}
	r.Unattended.Show(v)
}
