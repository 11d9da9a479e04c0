package replay_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/replay"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// reader is a room that counts what is put to it, and tries to decide things.
type reader struct {
	engine.Room
	views                  []engine.View
	asked, signed, offered int
	witnesses              int                     // who do not approve
	stop                   context.CancelCauseFunc // at the first page, if it is set
}

func (r *reader) Show(v engine.View) {
	r.views = append(r.views, v)
	if r.stop != nil {
		r.stop(errStopped)
	}
}

func (r *reader) Turn(context.Context) error { return nil }

func (r *reader) Ask(_ context.Context, q engine.Question) (string, error) {
	r.asked++
	return "another answer", nil
}

func (r *reader) Consent(_ context.Context, q engine.Request) (engine.Consent, error) {
	r.signed++
	for _, s := range q.Signers {
		if !s.Asked && text.NotAsked(q, s) == "witness" && q.Purpose == engine.Approve && s.Name == "wendy" {
			r.witnesses++
		}
	}
	return engine.Consent{Signer: "mallory", Word: "disagree"}, nil
}

func (r *reader) Choose(context.Context, engine.Failure) (engine.Choice, error) {
	r.offered++
	return engine.Choice{Retry: true}, nil
}

var errStopped = errors.New("stopped")

func pagesOf(t *testing.T, bundle string) []replay.Page {
	t.Helper()
	r, _ := transcript.Verify(bundle)
	c, _ := steps.Named(r.Opened()[transcript.FactKind])
	return replay.Pages(r, c)
}

// TestReplay: a rotation is shown from the first page to the last, each page says REPLAY, and what a
// room answers changes nothing.
func TestReplay(t *testing.T) {
	pages := pagesOf(t, "../../transcripts/good-v2/2026-11-26T053543Z-0002-rotate")
	room := &reader{}
	if err := replay.Play(t.Context(), room, pages, 0); err != nil {
		t.Fatal(err)
	}
	if len(room.views) != len(pages) || room.asked != 11 || room.signed != 18 || room.offered != 0 ||
		room.witnesses != 8 {
		t.Errorf("%d of %d pages, %d questions, %d pages to sign, %d choices, wendy a witness of %d", len(room.views),
			len(pages), room.asked, room.signed, room.offered, room.witnesses)
	}
	for _, v := range room.views {
		if !v.Replay || v.Rehearsal || v.Kind != "rotate" {
			t.Errorf("%+v", v)
		}
	}
	last := room.views[len(room.views)-1].Ending
	if last == nil || !strings.HasPrefix(last.Digest, "b166cb04") || strings.Join(last.Signed, " ") !=
		"alice (followed) bob (followed) dora (followed) wendy (followed)" {
		t.Errorf("the last page: %+v", last)
	}
}

// TestReplayStops: a replay that is stopped shows nothing more.
func TestReplayStops(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	room := &reader{stop: stop}
	err := replay.Play(ctx, room, pagesOf(t, "../../transcripts/good-v2/2026-11-26T053543Z-0002-rotate"), 0)
	if !errors.Is(err, errStopped) || len(room.views) != 1 {
		t.Errorf("%v, %d pages", err, len(room.views))
	}
}

// TestReplayOfAny: every log that can be read has pages, also one that breaks rules, and one of a
// kind that is not known.
func TestReplayOfAny(t *testing.T) {
	bundles, err := filepath.Glob("../../transcripts/*/*/events.jsonl")
	if err != nil || len(bundles) < 100 {
		t.Fatalf("%d, %v", len(bundles), err)
	}
	for _, path := range bundles {
		r, _ := transcript.Verify(filepath.Dir(path))
		if len(r.Events) == 0 {
			continue
		}
		held, _ := steps.Named(r.Opened()[transcript.FactKind])
		for _, c := range []engine.Ceremony{held, {}} {
			if n := len(replay.Pages(r, c)); n < 2 {
				t.Errorf("%s as %s: %d pages", path, c.Kind, n)
			}
		}
	}
}
