package main

import (
	"context"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/tui"
	"github.com/certautopilot/kekceremony/internal/tui/line"
)

// ceremony is one of the commands that run one.
type ceremony struct {
	kind string // as the answers' file calls it
	run  func(context.Context, engine.Parts, engine.Room) error
	rate int
}

// running runs a ceremony to its end.
func running(c engine.Ceremony) ceremony {
	return ceremony{kind: c.Kind, run: func(ctx context.Context, parts engine.Parts, room engine.Room) error {
		return engine.Run(ctx, parts, room, c)
	}}
}

// perform runs a ceremony in the room that --ui names.
func perform(ctx context.Context, o *options, c ceremony) error {
	cfg, err := o.readConfig()
	if err != nil {
		return err
	}
	terminal, err := o.terminal()
	if err != nil {
		return err
	}
	s, err := parts(ctx, cfg, terminal, c.rate)
	if err != nil {
		return notBegun(ctx, err)
	}
	defer s.Store.Close()
	s.Bind, s.Typed, s.Following = o.bind, o.typing, o.next
	if !cfg.Encryption.Settings.OnToken() { // no token is touched: a wrong key is refused before anything begins
		if s.OpenedProvider, err = s.OpenProvider(ctx, nil); err != nil {
			return notBegun(ctx, err)
		}
		defer s.OpenedProvider.Close() // the engine has closed it, unless it was never asked
	}
	s.ReadExpect = expecting(o, cfg)
	if terminal != nil {
		s.Reread = rereading(o, cfg, terminal)
		face := tui.Run
		if o.plain(terminal) {
			face = line.Run
		}
		return face(ctx, terminal, s.Control, func(ctx context.Context, room engine.Room) error {
			return c.run(ctx, s, hinting{room, o})
		})
	}
	s.PIN.File = cfg.Encryption.PINFile
	return unattended(ctx, s, c, func() (map[string]string, error) { return o.answersFor(c.kind) })
}

// hinting is a room whose people see what to do about a failed step.
type hinting struct {
	engine.Room
	options *options
}

// Choose implements engine.Room.
func (r hinting) Choose(ctx context.Context, f engine.Failure) (engine.Choice, error) {
	_, hint := judge(f.Err)
	f.Hint = r.options.typing(hint)
	return r.Room.Choose(ctx, f)
}

// kinds lists the kinds of ceremonies.
func kinds() (all []string) {
	for _, c := range steps.All() {
		all = append(all, c.Kind)
	}
	return all
}
