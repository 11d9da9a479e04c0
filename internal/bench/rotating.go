package main

import (
	"context"
	"time"

	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// rotating is a store that is rotated again and again, beside something else.
type rotating struct {
	lab   lab
	parts rehearsal.Parts
	n, to int
	stop  func() error
}

// rotating makes a store with n envelopes and the process that its rotations wait for.
func (l lab) rotating(ctx context.Context, provider, name string, n int) (*rotating, error) {
	parts, err := l.installed(ctx, provider, name)
	if err != nil {
		return nil, err
	}
	if err := write(ctx, parts, provider, n); err != nil {
		return nil, err
	}
	stop, err := l.agent(ctx, parts)
	return &rotating{lab: l, parts: parts, n: n, to: 1, stop: stop}, err
}

// once rotates to the next version, in one of the ways, and returns how long the re-wrap step took.
// used gets what it used.
func (r *rotating) once(
	ctx context.Context, rotate func(context.Context, rehearsal.Parts, *rotated, int) (time.Duration, error),
	used *rotated,
) (time.Duration, error) {
	r.to++
	return rotate(ctx, r.parts, used, r.to)
}
