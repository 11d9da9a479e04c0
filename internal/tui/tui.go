package tui

import (
	"context"
	"errors"

	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/term"
)

func Run(ctx context.Context, t *term.Terminal, s *steps.Site, hold func(context.Context, steps.Room) error) error {
	return errors.New("no tui yet")
}
