package steps_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// dying is a store of a console that loses its power: before a write, or when it is done and nobody has heard so.
type dying struct {
	store.Store
	dies func(what string, done bool) bool
}

var errDied = errors.New("the console lost its power")

func (d dying) write(what string, do func() error) error {
	if d.dies(what, false) {
		return errDied
	}
	if err := do(); err != nil {
		return err
	}
	if d.dies(what, true) {
		return errDied
	}
	return nil
}

// atWrite has a run die at its n-th write: when it is done, or before it.
func atWrite(n int, done bool) func(string, bool) bool {
	return func(_ string, isDone bool) bool {
		if !isDone {
			n--
		}
		return n < 0 || n == 0 && isDone == done
	}
}

// deaths are the writes of a ceremony at which runs died. A run dies at the first one at which none did before.
type deaths struct {
	at   map[string]bool
	step int // one of so many is died
	over bool
}

func (d *deaths) dies(what string, done bool) bool {
	where := fmt.Sprint(what, done)
	if !d.over && !d.at[where] {
		d.at[where] = true
		d.over = len(d.at)%d.step == 0
	}
	return d.over
}

func (d dying) OpenCeremony(ctx context.Context, c store.Ceremony) error {
	return d.write("number", func() error { return d.Store.OpenCeremony(ctx, c) })
}

func (d dying) CloseCeremony(ctx context.Context, c store.Ceremony) error {
	return d.write("end", func() error { return d.Store.CloseCeremony(ctx, c) })
}

func (d dying) AppendEntry(ctx context.Context, e store.Entry) error {
	what := fmt.Sprintf("%d %s", e.Ceremony, e.Name)
	if line, err := transcript.ParseLine(e.Data); err == nil { // it comes again in each run
		what = fmt.Sprintf("%d %s %s %s", e.Ceremony, line.Kind, line.Step, line.Facts["key"])
	}
	return d.write(what, func() error { return d.Store.AppendEntry(ctx, e) })
}

func (d dying) InsertLock(ctx context.Context, l store.Lock) error {
	return d.write("lock", func() error { return d.Store.InsertLock(ctx, l) })
}

func (d dying) InsertKEK(ctx context.Context, k store.KEK) error {
	return d.write("version "+k.Version.String(), func() error { return d.Store.InsertKEK(ctx, k) })
}

func (d dying) MoveKEK(ctx context.Context, v kek.Version, from, to store.State) error {
	return d.write(fmt.Sprint(v, " ", to), func() error { return d.Store.MoveKEK(ctx, v, from, to) })
}

func (d dying) Fence(ctx context.Context, places envelope.Catalogue, refused []kek.Version) error {
	return d.write("fence", func() error { return d.Store.Fence(ctx, places, refused) })
}

func (d dying) MoveActive(ctx context.Context, from, to store.Active) error {
	return d.write("pointer", func() error { return d.Store.MoveActive(ctx, from, to) })
}

// diesAtEachWrite runs a ceremony again and again, each run until it loses its power at a write at which none did
// before, and the last one until it is over. It takes one of seven deaths, and each with make torture but its brief
// form. After each death it calls between.
func diesAtEachWrite(t *testing.T, run func(dying func(store.Store) store.Store) error, between func()) (died int) {
	t.Helper()
	d := &deaths{at: map[string]bool{}, step: 1}
	if *seeds < 100 {
		d.step = 7
	}
	for ; ; died++ {
		d.over = false
		err := run(func(s store.Store) store.Store { return dying{s, d.dies} })
		switch {
		case errors.Is(err, errDied) && d.over && died < 1000:
			between()
		case err == nil || errors.Is(err, engine.ErrNothingDue): // it died when M had signed
			return died
		default:
			t.Fatalf("after %d deaths: %v", died, err)
		}
	}
}
