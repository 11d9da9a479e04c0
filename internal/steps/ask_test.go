package steps_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// typing is a room whose people answer every question wrong twice, then as proposed, and
// who all sign on every page.
type typing struct {
	*engine.Unattended
	t     *testing.T
	parts rehearsal.Parts
	asked map[string]string // what was proposed, by question
}

func (r typing) Ask(_ context.Context, q engine.Question) (string, error) {
	wrong := []string{"", "24 68 10"}
	refused := ""
	if q.Refused != nil {
		refused = q.Refused.Error()
	}
	switch {
	case refused == "":
		r.asked[q.Field.Name] = q.Value
		return wrong[0], nil
	case strings.HasPrefix(refused, q.Field.Name+": an answer is needed; example: ") && q.Value == wrong[0]:
		return wrong[1], nil
	case strings.HasPrefix(refused, q.Field.Name+": this may be a PIN, and was discarded; example: ") &&
		q.Value == r.asked[q.Field.Name]:
		return r.asked[q.Field.Name], nil
	}
	r.t.Errorf("%s: value %q, refused: %s", q.Field.Name, q.Value, refused)
	return "", errors.New("no such question")
}

func (r typing) Consent(_ context.Context, req engine.Request) (engine.Consent, error) {
	for _, s := range req.Signers {
		if s.Asked && !s.Signed {
			return engine.Consent{Signer: s.Name, Word: s.Words[0]}, nil
		}
	}
	return engine.Consent{}, engine.ErrEnough
}

// TestWrongTwice: with people in the room a wrong answer is asked again, and a rehearsal
// can be walked with what is proposed. An approval that more than M sign is good.
func TestWrongTwice(t *testing.T) {
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	s := site(t, parts)
	s.RosterPath = parts.Roster()
	room := typing{nobody(parts), t, parts, map[string]string{}}
	if err := install(t.Context(), s, room); err != nil {
		t.Fatal(err)
	}
	if got := room.asked; got["roster"] != parts.Roster() || got["provider"] != "env" || got["copies"] != "none" ||
		got["differed"] != "none" || got["clock"] != "n/a: a rehearsal" {
		t.Errorf("proposed: %v", got)
	}
	r, err := transcript.Verify(bundles(t, parts, transcript.KindInstall)[0])
	if err != nil {
		t.Fatal(err)
	}
	if n := signatures(r, "approve"); n != 3 || r.Roster.M != 2 {
		t.Errorf("%d have approved, %d must, want 3 and 2", n, r.Roster.M)
	}
}

// signatures counts those of a step.
func signatures(r transcript.Report, step string) (n int) {
	for _, e := range r.Events {
		if e.Kind == transcript.Signed && e.Step == step {
			n++
		}
	}
	return n
}

// TestEnoughUnattended: with nobody in the room an approval has M signatures, attendance
// and the end those of every key on the console.
func TestEnoughUnattended(t *testing.T) {
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	if err := install(t.Context(), site(t, parts), nobody(parts)); err != nil {
		t.Fatal(err)
	}
	r, err := transcript.Verify(bundles(t, parts, transcript.KindInstall)[0])
	if err != nil {
		t.Fatal(err)
	}
	if a, b, c := signatures(r, "attend"), signatures(r, "approve"), r.Signed(); a != 3 || b != 2 || c != 3 {
		t.Errorf("%d attended, %d approved, %d signed the end", a, b, c)
	}
}

// TestFewMaySignTheEnd: the roster lets fewer than M sign the end. It is not waited for
// those who cannot.
func TestFewMaySignTheEnd(t *testing.T) {
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	roster, err := os.ReadFile(parts.Roster())
	if err != nil {
		t.Fatal(err)
	}
	few := strings.Replace(string(roster), ","+quorum.Rehearsal.Namespace(quorum.Final), "", 2)
	if err := os.WriteFile(parts.Roster(), []byte(few), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := install(t.Context(), site(t, parts), nobody(parts)); !errors.Is(err, engine.ErrDisagreed) {
		t.Errorf("got %v", err)
	}
}

// TestWrongUnattended: there is no second answer in a file. The error does not repeat the
// first.
func TestWrongUnattended(t *testing.T) {
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", parts.Dir)
	for _, c := range []struct{ question, answer, want string }{
		{"place", "246810",
			"place: this may be a PIN, and was discarded; example: Vault 3, Example Street 5: not an answer to the question"},
		{"place", "n/a: 246810",
			"place: this may be a PIN, and was discarded; example: Vault 3, Example Street 5: not an answer to the question"},
		{"planned_end", "soon",
			"planned_end: want YYYY-MM-DD; or answer n/a: REASON; example: 2028-12-31: not an answer to the question"},
	} {
		room := nobody(parts)
		room.Answers["roster"] = "~/roster"
		room.Answers[c.question] = c.answer
		if err := install(t.Context(), site(t, parts), room); !errors.Is(err, engine.ErrAnswer) || err.Error() != c.want {
			t.Errorf("%s: got %v", c.answer, err)
		}
	}
	var missing *engine.MissingAnswers
	place := engine.Question{Field: steps.Field{Name: "place"}, Value: "Vault 3"}
	if answer, err := new(engine.Unattended).Ask(t.Context(), place); answer != "" || !errors.As(err, &missing) {
		t.Errorf("what was proposed is taken: %q, %v", answer, err)
	}
}

// TestPlannedEnd: a key that is new has not come to its end.
func TestPlannedEnd(t *testing.T) {
	const over = "planned_end: that day is over: the console's clock shows "
	for day, refused := range map[int]bool{-3: true, -2: true, 0: false, 1: false, 800: false} {
		parts, err := makeParts(t)
		if err != nil {
			t.Fatal(err)
		}
		room := nobody(parts)
		room.Answers[transcript.FactEnd] = time.Now().UTC().AddDate(0, 0, day).Format(time.DateOnly)
		err = install(t.Context(), site(t, parts), room)
		if (err != nil && strings.HasPrefix(err.Error(), over)) != refused {
			t.Errorf("in %d days: %v", day, err)
		}
	}
}

// production are parts of no rehearsal.
var production = engine.Parts{Mode: quorum.Production, Kind: env.Config{}}

// TestNotRepeated: no refusal repeats what was typed: it may be a PIN.
func TestNotRepeated(t *testing.T) {
	fields := steps.GivingUp()
	for _, c := range steps.All() {
		fields = append(fields, c.Questions(steps.Facts{transcript.FactGenerate: "yes"})...)
	}
	for _, f := range fields {
		for _, answer := range []string{
			"xyzzy", "~/xyzzy", "xyzzy: Example Ltd, operator", "2026-11-23 14:05, xyzzy", "xyzzy-11-23",
			"xyzzy / / decided / by", "n/a: xyzzy",
		} {
			_, err := f.Check(&steps.Site{Parts: production}, answer)
			if err != nil && strings.Contains(err.Error(), "xyzzy") {
				t.Errorf("%s: %v", f.Name, err)
			}
		}
	}
}

// TestProposals: in production nothing is proposed but what the configuration or the last
// ceremony says.
func TestProposals(t *testing.T) {
	last := func(place string) *steps.Site {
		log := transcript.State{Facts: steps.Facts{"place": place}}
		return &steps.Site{Parts: production, History: history.History{Logs: []transcript.State{log}}}
	}
	for _, c := range []struct {
		site *steps.Site
		want map[string]string
	}{
		{&steps.Site{Parts: production}, map[string]string{"provider": "env"}},
		{last("Vault 3"), map[string]string{"provider": "env", "place": "Vault 3"}},
		{last("not applicable: a drill"), map[string]string{"provider": "env"}},
		{last(`caf\u{e9}`), map[string]string{"provider": "env", "place": "café"}},
		{last(`caf\u{202e}`), map[string]string{"provider": "env"}}, // it would be escaped again
	} {
		for _, f := range steps.Install().Questions(nil) {
			got := ""
			if f.Propose != nil {
				got = f.Propose(c.site)
			}
			if got != c.want[f.Name] {
				t.Errorf("%s: %q is proposed, want %q", f.Name, got, c.want[f.Name])
			}
			if f.Example == "" && got == "" {
				t.Errorf("%s: no example", f.Name)
			}
		}
	}
}

// returning is a room in which somebody answers the first two questions of the place, goes
// back from the third, and takes what stands in the field.
type returning struct {
	*engine.Unattended
	shown map[string][]string // what stood in the field, by question
	first map[string]bool     // the questions that nothing comes before
}

func (r returning) Ask(_ context.Context, q engine.Question) (string, error) {
	name := q.Field.Name
	r.shown[name] = append(r.shown[name], q.Value)
	if q.First {
		r.first[name] = true
	}
	switch n := len(r.shown[name]); {
	case name == "authorised" && n == 1:
		return "the board, ticket 7", nil
	case name == "people" && n == 1:
		return "246810", engine.ErrBack // it may be a PIN
	case name == "people" && n == 2:
		return "alice: Exam", engine.ErrBack
	case name == "people":
		return "n/a: a test", nil
	}
	return q.Value, nil
}

// TestBack: anyone who goes back finds what was answered, and Enter keeps it.
func TestBack(t *testing.T) {
	parts, s := installed(t)
	room := returning{nobody(parts), map[string][]string{}, map[string]bool{}}
	if err := engine.Run(t.Context(), *s, room, steps.Generate(2)); err != nil {
		t.Fatal(err)
	}
	if got := room.shown["people"]; len(got) != 3 || got[1] != got[0] || got[2] != "alice: Exam" {
		t.Errorf("in the field of who went back stood %q", got)
	}
	if got := room.shown["authorised"]; len(got) != 3 || got[1] != "the board, ticket 7" {
		t.Errorf("in the field stood %q", got)
	}
	if !room.first["place"] || room.first["authorised"] || room.first["people"] {
		t.Errorf("nothing comes before %v", room.first)
	}
	r, err := transcript.Verify(bundles(t, parts, transcript.KindGenerate)[0])
	if err != nil || r.Facts["authorised"] != "the board, ticket 7" {
		t.Errorf("authorised: %q, %v", r.Facts["authorised"], err)
	}
}
