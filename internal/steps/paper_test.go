package steps_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
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
	for _, dir := range bundles(t, parts, transcript.KindGenerate) { // a console that has not seen it
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
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
