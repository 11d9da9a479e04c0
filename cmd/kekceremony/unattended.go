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
func unattended(ctx context.Context, s engine.Parts, c ceremony, answers func() (map[string]string, error)) error {
	given, err := answers()
	if err != nil {
		return err
	}
	room := &emptyRoom{answers: answers, Unattended: &engine.Unattended{
		Answers: given, Signs: s.Mode == quorum.Rehearsal,
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

// emptyRoom keeps the lines of the last page. It reads the answers again for each question: what
// somebody read from a clock, or decided, may have come into the file since the ceremony began.
type emptyRoom struct {
	*engine.Unattended
	answers func() (map[string]string, error)
	last    []string
}

// Ask implements engine.Room.
func (r *emptyRoom) Ask(ctx context.Context, q engine.Question) (answer string, err error) {
	if r.Answers, err = r.answers(); err != nil {
		return "", err
	}
	return r.Unattended.Ask(ctx, q)
}

// Show implements engine.Room.
func (r *emptyRoom) Show(v engine.View) {
	if v.Ending != nil {
		r.last = v.Ending.Lines()
	}
	r.Unattended.Show(v)
}
