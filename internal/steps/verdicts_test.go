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
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestTwoVerdicts: alice has two verdicts written for offline signing, and signs both. The people at the
// console cannot end it by oversight, or her word would be lost. The one whose signature is left is taken;
// where they leave without her, none of the two is, and both are kept. What was refused is not said of a file
// that is not there any more.
func TestTwoVerdicts(t *testing.T) {
	t.Parallel()
	for name, decides := range map[string]bool{"she decides": true, "without her": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			twoVerdicts(t, decides)
		})
	}
}

func twoVerdicts(t *testing.T, decides bool) {
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	base := nobody(parts)
	base.Answers[engine.AnswerWords+"alice"] = "I saw another page"
	base.Answers[engine.AnswerWords+"bob"] = "η πόρτα was open"
	answers := append(signsBoth(t, parts), endsWithout(t, decides)...)
	asked := 0
	room := consenting{base, func(ctx context.Context, r engine.Request) (engine.Consent, error) {
		if r.Purpose != quorum.Final {
			return base.Consent(ctx, r)
		}
		asked++
		return answers[min(asked, len(answers))-1](ctx, r)
	}}
	if err := install(t.Context(), site(t, parts), room); err != nil {
		t.Fatal(err)
	}
	bundle := bundles(t, parts, transcript.KindInstall)[0]
	r, err := transcript.Verify(bundle)
	if err != nil {
		t.Fatal(err)
	}
	bob := transcript.Final{Verdict: transcript.Deviations, Words: `\u{3b7} \u{3c0}\u{3cc}\u{3c1}\u{3c4}\u{3b1} was open`}
	alice := transcript.Final{Verdict: transcript.Disagree, Words: "I saw another page"}
	if r.Finals["bob"] != bob || decides == slices.Equal(r.WithoutFinal(), []string{"alice"}) ||
		decides && r.Finals["alice"] != alice {
		t.Errorf("finals %v; without %v", r.Finals, r.WithoutFinal())
	}
	if kept, _ := filepath.Glob(bundle + ".signing/final.alice.*.txt.sig"); !decides && len(kept) != 2 {
		t.Errorf("of what alice signed is left: %v", kept)
	}
}

// consent is how a request for a final is answered.
type consent = func(context.Context, engine.Request) (engine.Consent, error)

func says(c engine.Consent, err error) consent {
	return func(context.Context, engine.Request) (engine.Consent, error) { return c, err }
}

// alices is where alice's signature of a verdict lies.
func alices(r engine.Request, verdict string) string {
	return filepath.Join(r.Dir, "final.alice."+verdict+".txt.sig")
}

// signsBoth has alice sign two verdicts. A torn signature lies there before.
func signsBoth(t *testing.T, parts rehearsal.Parts) []consent {
	return []consent{says(engine.Consent{Signer: "alice", Word: "followed", Offline: true}, nil),
		func(_ context.Context, r engine.Request) (engine.Consent, error) {
			return engine.Consent{Signer: "alice", Word: "disagree", Offline: true},
				os.WriteFile(alices(r, "followed"), []byte("torn"), 0o600)
		},
		func(ctx context.Context, r engine.Request) (engine.Consent, error) {
			if !strings.HasPrefix(r.Note, "final.alice.followed.txt: ") {
				t.Errorf("of a torn signature it says %q", r.Note)
			}
			if err := os.Remove(alices(r, "followed")); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			return engine.Consent{}, ctx.Err()
		},
		func(ctx context.Context, r engine.Request) (engine.Consent, error) {
			if r.Note != "" {
				t.Errorf("of a signature that is gone it still says %q", r.Note)
			}
			for _, verdict := range []string{"followed", "disagree"} {
				script := filepath.Join(r.Dir, "final.alice."+verdict+".sh")
				if out, err := exec.CommandContext(ctx, "sh", script, parts.Key("alice")).CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			}
			return engine.Consent{Signer: "bob", Word: "deviations"}, nil
		},
	}
}

// endsWithout has the people end the ceremony without alice, unless she decides before.
func endsWithout(t *testing.T, decides bool) []consent {
	return []consent{
		func(_ context.Context, r engine.Request) (engine.Consent, error) {
			if len(r.Undecided) != 1 || !strings.HasPrefix(r.Undecided[0].String(),
				"alice signed final.alice.followed.txt and final.alice.disagree.txt: none is taken") {
				t.Errorf("undecided %v", r.Undecided)
			}
			return engine.Consent{Signer: "carol", Word: "followed"}, nil
		},
		func(ctx context.Context, r engine.Request) (engine.Consent, error) {
			if r.Have() != 2 || r.Enough() {
				t.Errorf("%d have signed, undecided %v: it may end", r.Have(), r.Undecided)
			}
			if !decides {
				return engine.Consent{}, engine.ErrEnough
			}
			if err := os.Remove(alices(r, "followed")); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			return engine.Consent{}, ctx.Err()
		}, says(engine.Consent{}, engine.ErrEnough),
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
