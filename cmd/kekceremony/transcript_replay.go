package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/replay"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/term"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/tui"
	"github.com/certautopilot/kekceremony/internal/tui/line"
	"github.com/certautopilot/kekceremony/internal/tui/room"
)

func replayCommand(o *options) *cobra.Command {
	var speed float64
	cmd := &cobra.Command{
		Use:   "replay BUNDLE",
		Short: "Show a ceremony that was held, page by page, for training and audit",
		Long: `replay shows the pages of a ceremony as its people saw them. It reads the bundle and
nothing else: no store, no token, no key. Nothing is asked, and nothing is signed; each
page says REPLAY. Enter turns the page. With --speed N the pages turn by themselves,
N times as fast as the ceremony went, each after 1 to 8 seconds. How far a re-wrap had
come at one moment is not in a transcript, and is not shown. With --ui line the pages
are plain lines, as line mode says them. Without a terminal, or with --ui none, these
lines are printed one page after the other, and nothing waits: a replay can be piped to
a file.

replay verifies the bundle first, and shows no bad one. A bundle that is incomplete or
void is shown, and the exit code is that of verify.`,
		Args: oneArgument,
		RunE: ran(func(cmd *cobra.Command, args []string) error {
			return play(cmd.Context(), cmd.OutOrStdout(), o, args[0], speed)
		}),
	}
	cmd.Flags().Float64Var(&speed, "speed", 0, "times as fast as the ceremony went; 0: Enter turns each page")
	return cmd
}

func play(ctx context.Context, w io.Writer, o *options, dir string, speed float64) error {
	if speed < 0 {
		return &usageError{errors.New("--speed: want 0 or more")}
	}
	report, verdict, err := verified(dir)
	if err != nil {
		return err
	}
	if verdict != nil {
		verdict = fmt.Errorf("replay %s: %w", printable.Text(dir), &badTranscript{verdict})
	}
	if transcript.StandingOf(verdict) == transcript.Bad || report.Opened() == nil {
		return verdict
	}
	terminal, err := o.terminal()
	if err != nil && (o.ui != "line" || !errors.Is(err, term.ErrNone)) {
		return err
	}
	held, _ := steps.Named(report.Opened()[transcript.FactKind])
	pages := replay.Pages(report, held)
	shows := func(ctx context.Context, room *room.Room) error { return replay.Play(ctx, room, pages, speed) }
	switch {
	case terminal == nil:
		err = line.PrintReplay(ctx, w, o.ascii, shows)
	case o.plain(terminal):
		err = line.RunReplay(ctx, terminal, shows)
	default:
		err = tui.RunReplay(ctx, terminal, shows)
	}
	return errors.Join(err, verdict)
}
