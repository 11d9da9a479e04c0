package steps_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestTwoVerdicts: alice has two verdicts written for offline signing, and signs both. The people at the
// console see it, and end the ceremony without her. None of the two is taken, and both are kept.
func TestTwoVerdicts(t *testing.T) {
	t.Parallel()
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	base := nobody(parts)
	base.Answers[engine.AnswerWords+"alice"] = "I saw another page"
	base.Answers[engine.AnswerWords+"bob"] = "η πόρτα was open"
	asked := 0
	room := consenting{base, func(ctx context.Context, r engine.Request) (engine.Consent, error) {
		if r.Purpose != quorum.Final {
			return base.Consent(ctx, r)
		}
		switch asked++; asked {
		case 1:
			return engine.Consent{Signer: "alice", Word: "followed", Offline: true}, nil
		case 2:
			return engine.Consent{Signer: "alice", Word: "disagree", Offline: true}, nil
		case 3:
			for _, verdict := range []string{"followed", "disagree"} {
				script := filepath.Join(r.Dir, "final.alice."+verdict+".sh")
				if out, err := exec.CommandContext(ctx, "sh", script, parts.Key("alice")).CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			}
			return engine.Consent{Signer: "bob", Word: "deviations"}, nil
		case 4:
			if !slices.Equal(r.Undecided, []string{"alice"}) || !strings.HasPrefix(r.Note,
				"alice signed final.alice.followed.txt and final.alice.disagree.txt: none is taken") {
				t.Errorf("undecided %v; %s", r.Undecided, r.Note)
			}
			return engine.Consent{Signer: "carol", Word: "followed"}, nil
		}
		return engine.Consent{}, engine.ErrEnough
	}}
	if err := install(t.Context(), site(t, parts), room); err != nil {
		t.Fatal(err)
	}
	bundle := bundles(t, parts, transcript.KindInstall)[0]
	r, err := transcript.Verify(bundle)
	if err != nil {
		t.Fatal(err)
	}
	want := transcript.Final{Verdict: transcript.Deviations,
		Words: `\u{3b7} \u{3c0}\u{3cc}\u{3c1}\u{3c4}\u{3b1} was open`}
	if r.Finals["bob"] != want || len(r.Finals) != 2 || !slices.Equal(r.WithoutFinal(), []string{"alice"}) {
		t.Errorf("finals %v; without %v", r.Finals, r.WithoutFinal())
	}
	if kept, _ := filepath.Glob(bundle + ".signing/final.alice.*.txt.sig"); len(kept) != 2 {
		t.Errorf("of what alice signed is left: %v", kept)
	}
}

// TestWordsStand: the console was killed after bob's statement was in the store, and before his signature.
// What he said stands, whatever the answers of a later run have: the store never changes an entry.
func TestWordsStand(t *testing.T) {
	t.Parallel()
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	room := consenting{Unattended: nobody(parts)}
	room.consent = func(ctx context.Context, r engine.Request) (engine.Consent, error) {
		if r.Purpose == quorum.Final && r.Have() == 1 {
			return engine.Consent{}, engine.ErrLater
		}
		return room.Unattended.Consent(ctx, r)
	}
	waiting := (*engine.WaitingError)(nil)
	if err := install(t.Context(), site(t, parts), room); !errors.As(err, &waiting) {
		t.Fatal(err)
	}
	bundle := bundles(t, parts, transcript.KindInstall)[0]
	core, err := os.ReadFile(filepath.Join(bundle, transcript.CoreFile))
	if err != nil {
		t.Fatal(err)
	}
	bob, _ := rosterOf(t, parts).Member("bob")
	said := transcript.Final{Verdict: transcript.Deviations, Words: "the clock stood still"}
	entry := store.Entry{Ceremony: 1, Name: transcript.FinalFile("bob"), Data: transcript.FinalStatement(core, bob, said)}
	if err := site(t, parts).Store.AppendEntry(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	later := nobody(parts)
	later.Answers[engine.AnswerVerdict+"bob"] = "followed"
	if err := install(t.Context(), site(t, parts), later); err != nil {
		t.Fatal(err)
	}
	if r, err := transcript.Verify(bundle); err != nil || r.Finals["bob"] != said {
		t.Errorf("bob's final is %v, %v", r.Finals["bob"], err)
	}
}
