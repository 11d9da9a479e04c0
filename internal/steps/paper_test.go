package steps_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// begunByNobody is a site where the making of version 2 was begun and nobody has attended,
// with the room of the next run.
func begunByNobody(t *testing.T) (rehearsal.Parts, *engine.Parts, consenting) {
	t.Helper()
	parts, s := installed(t)
	room := consenting{Unattended: nobody(parts)}
	room.consent = func(context.Context, engine.Request) (engine.Consent, error) {
		return engine.Consent{}, engine.ErrLater
	}
	var waiting *engine.WaitingError
	if err := engine.Run(t.Context(), *s, room, steps.Generate(2)); !errors.As(err, &waiting) {
		t.Fatal(err)
	}
	return parts, s, room
}

// forget makes this a console that has not seen the ceremonies of a kind.
func forget(t *testing.T, parts rehearsal.Parts, kind string) {
	t.Helper()
	for _, dir := range bundles(t, parts, kind) {
		beside := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".answered")
		if err := errors.Join(os.RemoveAll(dir), os.Remove(beside)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPlantedPaper: somebody who may write to the store takes the newest ceremony out of it,
// and plants the beginning of the next one, which asks people to attend with the final digest
// that stands on everybody's paper: that of the ceremony that is gone. The console refuses,
// and shows that digest to nobody.
func TestPlantedPaper(t *testing.T) {
	t.Parallel()
	parts, s, room := begunByNobody(t)
	onPaper := transcript.Digest([]byte("final.txt of the ceremony that is gone"))
	fence := stored{planter{s.Store}}
	log := transcripttest.TakeUp(t, fence, "")
	change(t, parts, "DELETE FROM kek_events WHERE ceremony = 2 AND name >= '000002'")
	forget(t, parts, transcript.KindGenerate)
	planted := transcripttest.TakeUp(t, fence, "")
	for _, e := range log.Events[2:] {
		if _, ok := e.Facts[transcript.FactFinal]; ok {
			e.Facts[transcript.FactFinal] = onPaper
		}
		planted.Add(e.Kind, e.Step, e.Facts)
	}

	room.consent = func(ctx context.Context, r engine.Request) (engine.Consent, error) {
		if r.Purpose == quorum.Attend {
			t.Errorf("people were asked to sign after %s", r.Last)
		}
		return room.Unattended.Consent(ctx, r)
	}
	err := engine.Run(t.Context(), *site(t, parts), room, steps.Generate(2))
	if !errors.Is(err, history.ErrHistory) {
		t.Errorf("got %v", err)
	}
}

// TestPlantedAbort: somebody who may write to the store ends a ceremony as aborted, before
// anybody attended. The same command does not go to its finals: nobody signs that end.
func TestPlantedAbort(t *testing.T) {
	t.Parallel()
	parts, s, room := begunByNobody(t)
	pen := transcripttest.TakeUp(t, stored{planter{s.Store}}, "")
	pen.Add(transcript.Closed, "", transcript.Facts{transcript.FactOutcome: transcript.OutcomeAborted})
	room.consent = func(ctx context.Context, r engine.Request) (engine.Consent, error) {
		t.Errorf("people were asked to sign: %s", r.Purpose)
		return engine.Consent{}, engine.ErrLater
	}
	if err := engine.Run(t.Context(), *site(t, parts), room, steps.Generate(2)); !errors.Is(err, history.ErrHistory) {
		t.Errorf("got %v", err)
	}
}

// notMaking is a provider whose token is lost when a key is to be generated.
type notMaking struct{ provider.Provider }

func (notMaking) Generate(context.Context, kek.Name) error { return provider.ErrGone }

// TestPlantedEnd: people approve a key, and the token is gone before it is generated.
// Somebody who may write to the store writes that everything was done, and closes the
// ceremony. The same command looks for the key before it asks anybody to sign that end.
func TestPlantedEnd(t *testing.T) {
	t.Parallel()
	for _, fresh := range []bool{false, true} { // the console that began, and one that has no bundle yet
		t.Run(fmt.Sprint(fresh), func(t *testing.T) {
			t.Parallel()
			parts, s := installed(t)
			open := s.OpenProvider
			s.OpenProvider = func(ctx context.Context, known func(map[string]string) error) (provider.Provider, error) {
				p, err := open(ctx, known)
				return notMaking{p}, err
			}
			if err := engine.Run(t.Context(), *s, nobody(parts), steps.Generate(2)); !errors.Is(err, provider.ErrGone) {
				t.Fatal(err)
			}
			fence := stored{planter{s.Store}}
			if fresh {
				forget(t, parts, transcript.KindGenerate)
			}
			pen := transcripttest.TakeUp(t, fence, "")
			n := kek.NameOf(kek.Chain(pen.Events[0].Facts[transcript.FactChain]), 2)
			pen.Add(transcript.Done, transcript.ActGenerate, transcript.Facts{transcript.FactLabel: n.Label,
				"key_id": n.HexID()})
			pen.Add(transcript.Begun, transcript.ActCanary, nil)
			pen.Add(transcript.Done, transcript.ActCanary, transcript.Facts{transcript.FactCanary(2): strings.Repeat("0", 64)})
			pen.Add(transcript.Closed, "", transcript.Facts{transcript.FactOutcome: transcript.OutcomeDone})
			room := consenting{Unattended: nobody(parts)}
			room.consent = func(ctx context.Context, r engine.Request) (engine.Consent, error) {
				t.Errorf("people were asked to sign: %s", r.Purpose)
				return engine.Consent{}, engine.ErrLater
			}
			for run := range 3 { // the second run finds the lines on its own disk
				if run == 2 { // and the third finds more there than in the store
					change(t, parts, "DELETE FROM kek_events WHERE ceremony = 2 AND name = (SELECT max(name) FROM kek_events "+
						"WHERE ceremony = 2 AND name GLOB '[0-9][0-9][0-9][0-9][0-9][0-9]')")
				}
				err := engine.Run(t.Context(), *site(t, parts), room, steps.Generate(2))
				if !errors.Is(err, transcript.ErrWentBack) || run < 2 && !strings.Contains(fmt.Sprint(err), "step generate") {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}
